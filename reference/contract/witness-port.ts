/**
 * What the gate asks of its store: whatever was sent to a fork, or came back from one, is held once per snapshot.
 * Invariant: an answer of `inserted` is durable; seeds, nonces and samples come as digests only.
 */

/** `failed`: without effect, or not known to be durable; the gate refuses. */
export type WitnessAnswer = 'inserted' | 'present' | 'full' | 'failed';

export interface WitnessPort {
  /**
   * All keys or none. Total: what is no digest, no generation or no list of keys is `failed`.
   * @param snapshot digest of the snapshot, or of what was booted
   */
  insert(snapshot: string, generation: number, keys: readonly string[]): Promise<WitnessAnswer>;
  /**
   * Above every generation that was handed out or inserted for this snapshot, over restarts too.
   * @param above the generation that the agent in the snapshot has seen already; 0: none
   * @throws CodedError `witness-store-failed`, `witness-store-full`, `node-unreachable`
   */
  nextGeneration(snapshot: string, above: number): Promise<number>;
  /** A sample was inserted for this generation: what a restart believes. @throws CodedError as `nextGeneration` */
  isAdmitted(snapshot: string, generation: number): Promise<boolean>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What the one writer of the store may besides; no husk does. `close` gives the place to another writer. */
export interface WitnessKeeperPort extends WitnessPort {
  /** Snapshots of which witnesses are held. @throws CodedError `witness-store-failed` */
  snapshots(): Promise<readonly string[]>;
  /** Together with the snapshot itself, and only then. @throws CodedError `witness-store-failed` */
  forget(snapshot: string): Promise<void>;
}
