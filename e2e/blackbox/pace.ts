/** How fast, how long and how many: nothing is sent that this did not let through. */

/** The time that was given is over: what was not asked yet is not asked. */
export class TimeUp extends Error {
  override readonly name = 'TimeUp';
}

export class Pace {
  readonly #gapMs: number;
  readonly #endMs: number;
  readonly #signal: AbortSignal;
  #nextMs = 0;
  sent = 0;

  constructor(perSecond: number, durationMs: number, signal: AbortSignal) {
    this.#gapMs = 1_000 / perSecond;
    this.#endMs = performance.now() + durationMs;
    this.#signal = signal;
  }

  /** Waits for the next turn. Throws TimeUp. */
  async turn(): Promise<void> {
    this.check();
    const now = performance.now();
    const at = Math.max(now, this.#nextMs);
    this.#nextMs = at + this.#gapMs;
    // Timers are no finer than a millisecond: several turns may share one.
    if (at - now >= 1) await new Promise((resolve) => setTimeout(resolve, at - now));
    this.check();
    this.sent += 1;
  }

  check(): void {
    if (this.#signal.aborted) throw new TimeUp('interrupted');
    if (performance.now() > this.#endMs) throw new TimeUp('the time that --duration gives is over');
  }
}
