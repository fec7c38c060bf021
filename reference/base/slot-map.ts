/**
 * A map of what comes and goes by the thousand a second.
 * Invariant: what was deleted is held by nobody. V8 links every table that a Map has outgrown to the next one: once one
 * of them is old, all that came later is kept until a full collection. Here such tables hold numbers.
 */
export class SlotMap<K, V> {
  readonly #slots = new Map<K, number>();
  readonly #values: (V | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.size;
  }

  has(key: K): boolean {
    return this.#slots.has(key);
  }

  get(key: K): V | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#values[slot];
  }

  set(key: K, value: V): void {
    const slot = this.#slots.get(key) ?? this.#free.pop() ?? this.#values.length;
    this.#slots.set(key, slot);
    this.#values[slot] = value;
  }

  delete(key: K): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    this.#values[slot] = undefined;
    this.#free.push(slot);
    return true;
  }

  /** In the order in which their keys came. */
  values(): V[] {
    return Array.from(this.#slots.values(), (slot) => this.#values[slot] as V);
  }
}
