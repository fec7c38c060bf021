/**
 * Octets of the system's generator, fetched many at a time.
 * Invariant: no octet is given twice, and each is wiped when it was given.
 */
import { randomFillSync } from 'node:crypto';

const poolOctets = 16_384;

export class RandomPool {
  readonly #pool = Buffer.alloc(poolOctets);
  readonly #fill: (pool: Buffer) => void;
  #at = poolOctets;

  /** @param fill for tests: a seeded source */
  constructor(fill: (pool: Buffer) => void = (pool) => void randomFillSync(pool)) {
    this.#fill = fill;
  }

  /** 0 to 65535. */
  uint16(): number {
    const at = this.#take(2);
    const value = (this.#pool[at] as number) | ((this.#pool[at + 1] as number) << 8);
    this.#pool[at] = 0;
    this.#pool[at + 1] = 0;
    return value;
  }

  /** 0 to `bound` - 1, all alike; at most 65536. */
  below(bound: number): number {
    const fair = 65_536 - (65_536 % bound);
    for (;;) {
      const value = this.uint16();
      if (value < fair) return value % bound;
    }
  }

  bytes(octets: number): Uint8Array {
    const copy = new Uint8Array(octets);
    this.into(copy);
    return copy;
  }

  /** Octets over those that were there, for whoever needs new ones again and again. */
  into(copy: Uint8Array): void {
    const at = this.#take(copy.length);
    for (let index = 0; index < copy.length; index++) {
      copy[index] = this.#pool[at + index] as number;
      this.#pool[at + index] = 0;
    }
  }

  #take(octets: number): number {
    if (this.#at + octets > poolOctets) {
      this.#fill(this.#pool);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += octets;
    return at;
  }
}
