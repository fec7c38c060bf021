/**
 * How many chunks of one request may be on their way without an `ack`, in either direction.
 * Invariant: never more than `maxChunksInFlight`.
 */
import { maxChunksInFlight } from '#reference/contract/guest-protocol.ts';

/** Guest → host: who sends waits for room. */
export class ChunkWindow {
  #free = maxChunksInFlight;
  #isOver = false;
  #wake: (() => void) | null = null;

  /** Ends when a chunk may go; false: the request was given up. One waits at a time. */
  async room(): Promise<boolean> {
    while (this.#free === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isOver) return false;
    this.#free -= 1;
    return true;
  }

  /** false: more than there were. */
  acknowledged(chunks: number): boolean {
    if (this.#free + chunks > maxChunksInFlight) return false;
    this.#free += chunks;
    this.#wake?.();
    return true;
  }

  giveUp(): void {
    this.#isOver = true;
    this.#wake?.();
  }
}

/** Host → guest: what has come and was not taken yet, in order. */
export class ChunkQueue {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  readonly #failed: (error: unknown) => void;

  /** @param failed told when a chunk could not be taken */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /**
   * false: the host does not keep to the window.
   * @param acknowledge once there is room for the next
   */
  add(take: () => Promise<void>, acknowledge: () => Promise<void>): boolean {
    if (this.#waiting >= maxChunksInFlight) return false;
    this.#waiting += 1;
    this.#after(async () => {
      await take();
      this.#waiting -= 1;
      await acknowledge();
    });
    return true;
  }

  /** After all chunks; of no weight: it comes once. */
  end(act: () => Promise<void>): void {
    this.#after(act);
  }

  #after(act: () => Promise<void>): void {
    this.#last = this.#last.then(act).catch(this.#failed);
  }
}
