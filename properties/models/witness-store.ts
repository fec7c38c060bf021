/**
 * A model of the insert-if-absent store: one atomic answer for all keys, durable over kill -9, bounded per
 * snapshot.
 */

export type StoreAnswer = 'inserted' | 'present' | 'full' | 'failed';

export class WitnessStore {
  /** Inserts that were made, in order: who holds what. */
  readonly inserts: {
    readonly snapshot: string;
    readonly generation: number;
    readonly keys: readonly string[];
  }[] = [];
  private readonly capacity: number;
  private readonly failing: ReadonlySet<number>;
  private readonly held = new Map<string, Set<string>>();
  private asked = 0;

  /**
   * @param capacity keys per snapshot
   * @param failing which inserts, counted from 0, fail without effect
   */
  constructor(capacity: number, failing: readonly number[] = []) {
    this.capacity = capacity;
    this.failing = new Set(failing);
  }

  insert(snapshot: string, generation: number, keys: readonly string[]): StoreAnswer {
    if (this.failing.has(this.asked++)) return 'failed';
    const held = this.held.get(snapshot) ?? new Set<string>();
    if (keys.some((key) => held.has(key))) return 'present';
    if (held.size + keys.length > this.capacity) return 'full';
    this.held.set(snapshot, held);
    for (const key of keys) held.add(key);
    this.inserts.push({ snapshot, generation, keys });
    return 'inserted';
  }
}
