/**
 * A host's side of one agent's control channel: requests as the protocol has them, and ones that it has not.
 * Invariant: one request at a time, each at its pace; a seed and a nonce are drawn anew for each, unless an attack
 * says which.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { nonceOctets } from '#reference/contract/reseed.ts';
import { readAnswer } from '#reference/fork-engine/control-channel.ts';
import type { Pace } from '../pace.ts';
import type { Endpoint } from './endpoint.ts';
import { type Heard, LineChannel } from './line-channel.ts';
import { openEndpoint } from './open-endpoint.ts';

/** What every conversation of a run shares. */
export interface Ground {
  readonly pace: Pace;
  readonly timeoutMs: number;
  /** Shown each octet that an agent says. */
  readonly listen: (octets: Buffer) => void;
  /** Shown each seed, in hex, before it is sent. */
  readonly seeded: (seed: string) => void;
}

export interface Notify {
  readonly version: number;
  readonly generation: number;
  readonly nonce: string;
  readonly seed: string;
}

const seedOctets = 64;
const settleMs = 50;

export const reseedOf = (generation: number): Notify => ({
  version: 1,
  generation,
  nonce: randomBytes(nonceOctets).toString('hex'),
  seed: randomBytes(seedOctets).toString('hex'),
});

/** An answer's object; null: the line is none. */
export const objectIn = (heard: Heard) => (heard.fate === 'line' ? readAnswer(heard.line) : null);
export const isGranted = (heard: Heard) => objectIn(heard)?.ok === true;

export class AgentSession {
  readonly endpoint: Endpoint;
  readonly #ground: Ground;
  #channel: LineChannel;
  /** The last that it was told. */
  generation = 0;
  /** Of that. */
  seed = '';

  private constructor(endpoint: Endpoint, ground: Ground, channel: LineChannel) {
    this.endpoint = endpoint;
    this.#ground = ground;
    this.#channel = channel;
  }

  /** @throws Unreachable */
  static async open(endpoint: Endpoint, ground: Ground): Promise<AgentSession> {
    return new AgentSession(endpoint, ground, await channelTo(endpoint, ground));
  }

  /** As a host that went and came again. @throws Unreachable */
  async reopen(): Promise<void> {
    const until = performance.now() + this.#ground.timeoutMs;
    do {
      this.#channel.close();
      this.#channel = await channelTo(this.endpoint, this.#ground);
      // An agent has one host at a time, and may not have seen yet that the last one is gone.
      await pause(settleMs);
    } while (this.#channel.isClosed && performance.now() < until);
  }

  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  /** Octets that nobody asked for. */
  get waiting(): number {
    return this.#channel.waiting;
  }

  /** A message, or a line as it is, its newline included. */
  async ask(what: object | string | Buffer): Promise<Heard> {
    await this.#ground.pace.turn();
    const octets = typeof what === 'string' || Buffer.isBuffer(what) ? what : `${JSON.stringify(what)}\n`;
    return this.#channel.ask(octets, this.#ground.timeoutMs);
  }

  /** Without waiting for an answer. */
  async write(octets: string | Buffer): Promise<void> {
    await this.#ground.pace.turn();
    this.#channel.write(octets);
  }

  next(): Promise<Heard> {
    return this.#channel.next(this.#ground.timeoutMs);
  }

  ping(): Promise<Heard> {
    return this.ask({ method: 'ping' });
  }

  freeze(): Promise<Heard> {
    return this.ask({ method: 'prepare_snapshot' });
  }

  async notify(reseed: Notify): Promise<Heard> {
    this.#ground.seeded(reseed.seed);
    const heard = await this.ask({
      method: 'notify_forked',
      ...reseed,
      host_wall_clock_nanos: Date.now() * 1e6,
    });
    if (isGranted(heard)) {
      this.generation = reseed.generation;
      this.seed = reseed.seed;
    }
    return heard;
  }

  release(generation: number): Promise<Heard> {
    return this.ask({ method: 'release', generation });
  }

  close(): void {
    this.#channel.close();
  }
}

async function channelTo(endpoint: Endpoint, { timeoutMs, listen }: Ground): Promise<LineChannel> {
  return new LineChannel(await openEndpoint(endpoint, timeoutMs), listen);
}
