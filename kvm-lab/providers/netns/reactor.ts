/** One loop for all descriptors of the lab: whoever watches one is called when it has something. */
import { ready } from './kernel-calls.ts';

const POLLIN = 1;
const POLLOUT = 4;
const intervalMs = 1;

export class Reactor {
  readonly #readers = new Map<number, () => void>();
  readonly #writers = new Map<number, () => void>();
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;

  read(fd: number, work: () => void): void {
    this.#readers.set(fd, work);
    this.#start();
  }

  write(fd: number, work: (() => void) | null): void {
    if (work === null) this.#writers.delete(fd);
    else this.#writers.set(fd, work);
  }

  forget(fd: number): void {
    this.#readers.delete(fd);
    this.#writers.delete(fd);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = this.#immediate = null;
    this.#readers.clear();
    this.#writers.clear();
  }

  #start(): void {
    if (this.#timer === null && this.#immediate === null) {
      this.#timer = setTimeout(() => this.#turn(), intervalMs);
    }
  }

  /** Busy: at once again, after other events had their turn. Idle: after a millisecond. */
  #turn(): void {
    this.#timer = this.#immediate = null;
    const busy = this.poll();
    if (this.#readers.size === 0) return;
    if (busy) this.#immediate = setImmediate(() => this.#turn());
    else this.#start();
  }

  /** Once over all descriptors; whether one had something. */
  poll(): boolean {
    const readable = ready([...this.#readers.keys()], POLLIN);
    for (const fd of readable) this.#readers.get(fd)?.();
    const writable = ready([...this.#writers.keys()], POLLOUT);
    for (const fd of writable) this.#writers.get(fd)?.();
    return readable.length > 0 || writable.length > 0;
  }
}
