/**
 * PID 1 takes away what has ended and has no other parent left.
 * Invariant: children that Node started are left to Node, which would never learn of their end.
 */
import type { SystemCalls } from './system-calls.ts';

/** So many are taken away before others get their turn. */
const mostAtOnce = 256;

export class Reaper {
  readonly #calls: Pick<SystemCalls, 'peekEnded' | 'reap'>;
  readonly #own = new Set<number>();
  #isDue = false;

  constructor(calls: Pick<SystemCalls, 'peekEnded' | 'reap'>) {
    this.#calls = calls;
  }

  /** From now on, at each SIGCHLD. */
  start(): void {
    process.on('SIGCHLD', () => this.#soon());
    this.#soon();
  }

  /** Of Node's: to be told right after its start. */
  leave(pid: number): void {
    this.#own.add(pid);
  }

  /** Node has taken it away. Behind it others may have waited. */
  ended(pid: number): void {
    this.#own.delete(pid);
    this.#soon();
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#reap();
    });
  }

  #reap(): void {
    for (let reaped = 0; reaped < mostAtOnce; reaped++) {
      const pid = this.#calls.peekEnded();
      if (pid === null || this.#own.has(pid)) return;
      this.#calls.reap(pid);
    }
    this.#soon();
  }
}
