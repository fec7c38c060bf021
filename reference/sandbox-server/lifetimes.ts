/**
 * When sandboxes end by themselves: at the end of their time, or when nobody has used them for a while.
 * Invariant: every sandbox has both bounds; one that is in use is not idle, but its time ends all the same.
 */
import type { Log } from '#reference/base/log.ts';

export interface LifetimeLimits {
  readonly ttlMs: number;
  readonly idleMs: number;
}

export const defaultLifetime: LifetimeLimits = { ttlMs: 3_600_000, idleMs: 600_000 };
export const maxLifetimeMs = 24 * 3_600_000;

interface Life {
  readonly endsMs: number;
  readonly idleMs: number;
  lastUsedMs: number;
  inUse: number;
  isEnding: boolean;
}

export class Lifetimes {
  readonly #lives = new Map<string, Life>();
  readonly #terminate: (id: string) => Promise<void>;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  /** @param now monotonic */
  constructor(
    terminate: (id: string) => Promise<void>,
    log: Log,
    { everyMs = 250, now = () => performance.now() }: { everyMs?: number; now?: () => number } = {},
  ) {
    this.#terminate = terminate;
    this.#log = log;
    this.#now = now;
    this.#timer = setInterval(() => this.sweep(), everyMs);
    this.#timer.unref();
  }

  begin(id: string, { ttlMs, idleMs }: LifetimeLimits): void {
    const now = this.#now();
    this.#lives.set(id, { endsMs: now + ttlMs, idleMs, lastUsedMs: now, inUse: 0, isEnding: false });
  }

  forget(id: string): void {
    this.#lives.delete(id);
  }

  /** @returns what ends the use, once */
  use(id: string): () => void {
    const life = this.#lives.get(id);
    if (life === undefined) return () => undefined;
    life.inUse += 1;
    let isUsed = true;
    return () => {
      if (isUsed) life.inUse -= 1;
      isUsed = false;
      life.lastUsedMs = this.#now();
    };
  }

  sweep(): void {
    const now = this.#now();
    for (const [id, life] of this.#lives) {
      const isIdle = life.inUse === 0 && now - life.lastUsedMs >= life.idleMs;
      if (life.isEnding || (!isIdle && now < life.endsMs)) continue;
      life.isEnding = true;
      this.#log.info({ sandbox: id, why: isIdle ? 'idle' : 'its time is over' }, 'terminating');
      this.#terminate(id)
        .catch((error: unknown) => this.#log.error({ sandbox: id, err: error }, 'not terminated'))
        .finally(() => this.#lives.delete(id));
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
