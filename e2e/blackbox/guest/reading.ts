/**
 * Random octets of a fork, by a command of the user's: twice of one fork, or once by a command that forks by itself.
 * Invariant: too few octets, or the same ones again, are no reading: nothing is judged by them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Forks } from './forks.ts';
import type { Settings } from './settings.ts';
import { freshOctets, octetsOf, type Reads } from './shared-octets.ts';
import { Unreachable } from './unreachable.ts';

/** Why there are no octets of a fork to judge. */
export interface NoReading {
  readonly reason: string;
  readonly give: string;
}

export type Reading = Reads | NoReading;
export const isReading = (reading: Reading): reading is Reads => 'reads' in reading;

const retryMs = 200;
/** Of a shell. */
const notExecutable = 126;
const notFound = 127;

/** The positive control: as many octets as were asked for, which the fork does not print again. */
export function controlled(reads: Reads, octets: number): Reading {
  const shortest = Math.min(...reads.reads.map(({ length }) => length));
  if (shortest < octets) {
    return {
      reason: `fork ${reads.fork} gave ${shortest} random octets, and ${octets} are asked for`,
      give: `a command that prints ${octets} octets or more, raw or in hex (head -c 64 /dev/urandom); or --octets`,
    };
  }
  if (freshOctets(reads) >= octets) return reads;
  return {
    reason: `fork ${reads.fork} gave the same octets twice: what is read is no random generator, or a stuck one`,
    give: 'a command that reads the generator anew each time, and prints nothing else',
  };
}

/** By a command that forks, reads and ends: its two halves are the two reads. */
export function halves(fork: number, output: Buffer): Reads {
  const middle = output.length >> 1;
  return { fork, reads: [output.subarray(0, middle), output.subarray(middle)] };
}

export class Reader {
  readonly #settings: Settings;
  readonly #forks: Forks;

  constructor(settings: Settings, forks: Forks) {
    this.#settings = settings;
    this.#forks = forks;
  }

  /** Each run of a read is a fork of its own: nobody said how forks are started or where they are. */
  get forksByItself(): boolean {
    return this.#settings.fork === null && this.#settings.agents.length === 0;
  }

  async read(command: string, n: number): Promise<Reading> {
    const { octets } = this.#settings;
    try {
      if (this.forksByItself) return controlled(halves(n, await this.#octets(command, n)), octets);
      const reads = [await this.#octets(command, n), await this.#octets(command, n)];
      return controlled({ fork: n, reads }, octets);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      return { reason: error.message, give: error.give };
    }
  }

  /** A fork that was started has --wait to be read. @throws Unreachable */
  async #octets(command: string, n: number): Promise<Buffer> {
    const until = performance.now() + (this.#settings.fork === null ? 0 : this.#settings.waitMs);
    for (;;) {
      this.#forks.check(n);
      const { stdout, stderr, failure, code } = await this.#forks.run(command, n);
      if (failure === '') return octetsOf(stdout);
      const said = stderr === '' ? '' : `: ${stderr}`;
      if (performance.now() >= until || code === notExecutable || code === notFound) {
        throw new Unreachable(`fork ${n} was not read: ${failure}${said}`, `run it by hand: ${command}`);
      }
      await pause(retryMs);
    }
  }
}
