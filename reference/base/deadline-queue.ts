/**
 * Deadlines that all lie the same time ahead: they come in the order in which they were set, so that setting one
 * costs nothing and no timer is needed.
 */
export class DeadlineQueue<T> {
  readonly #aheadMs: number;
  #items: (T | null)[] = [];
  #dueMs: number[] = [];
  #at = 0;

  constructor(aheadMs: number) {
    this.#aheadMs = aheadMs;
  }

  set(item: T, nowMs: number): void {
    this.#items.push(item);
    this.#dueMs.push(nowMs + this.#aheadMs);
  }

  /** When the next one is due; Infinity when none is set. */
  get nextMs(): number {
    return this.#dueMs[this.#at] ?? Number.POSITIVE_INFINITY;
  }

  /** The next one that is due, in order; null when none is. */
  take(nowMs: number): T | null {
    if (this.nextMs > nowMs) return null;
    const item = this.#items[this.#at] as T;
    // Let go of at once: what is held here for long is moved about by the garbage collector.
    this.#items[this.#at] = null;
    this.#at += 1;
    if (this.#at >= 1_024 && this.#at * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#dueMs = this.#dueMs.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }

  /** Gives up what is over before it is due, so that nothing of it is held. */
  drop(isOver: (item: T) => boolean): void {
    while (this.#at < this.#items.length && isOver(this.#items[this.#at] as T))
      this.take(Number.POSITIVE_INFINITY);
  }
}
