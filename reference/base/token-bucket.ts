/** So many a second, and no more than a second's worth at once. */
export class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledMs = nowMs;
  }

  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#filledMs) * this.#perSecond) / 1_000;
    if (gained > 0) {
      this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
      this.#filledMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Nobody took one for a second. */
  isFull(nowMs: number): boolean {
    return this.#tokens + ((nowMs - this.#filledMs) * this.#perSecond) / 1_000 >= this.#perSecond;
  }
}
