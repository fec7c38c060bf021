/** The core of the proxy with fakes on every side and a clock that stands still: for its tests. */
import { RandomPool } from '#reference/base/random-pool.ts';
import type { DnsEndpoint, DnsSandboxPolicy } from '#reference/contract/dns-port.ts';
import { type Asked, FakePacketIo } from '../packets/fake-packet-io.ts';
import {
  type QuestionShape,
  question,
  type ReadAnswer,
  readAnswer,
  reply,
  type SampleRecord,
} from '../sample-messages.ts';
import type { StreamIo } from '../streams/stream-io.ts';
import { FakePins } from './fake-pins.ts';
import { type ProxyLimits, proxyLimits } from './limits.ts';
import { ProxyCore } from './proxy-core.ts';
import type { RefusalLine } from './refusal-log.ts';
import type { DnsUpstream } from './upstreams.ts';

export const resolver: DnsEndpoint = { address: '10.0.0.1', port: 53 };
export const otherResolver: DnsEndpoint = { address: '10.0.0.5', port: 53 };
export const upstreams: readonly DnsUpstream[] = [
  { address: '192.0.2.53', port: 53 },
  { address: '192.0.2.54', port: 53 },
];
export const guest: DnsEndpoint = { address: '10.0.0.2', port: 40_000 };
export const policy: DnsSandboxPolicy = {
  allow: ['example.com:443', 'udp://example.com:53', '*.wild.test:80'],
  ipv6: true,
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
};

class FakeStreams implements StreamIo {
  readonly asked: { readonly upstream: DnsEndpoint; readonly message: Uint8Array; readonly token: number }[] =
    [];
  readonly answered: { readonly connection: number; readonly message: Uint8Array | null }[] = [];

  ask(upstream: DnsEndpoint, message: Uint8Array, token: number): void {
    this.asked.push({ upstream, message, token });
  }

  answer(connection: number, message: Uint8Array | null): void {
    this.answered.push({ connection, message });
  }
}

export interface Told extends ReadAnswer {
  readonly client: DnsEndpoint;
}

export class CoreStage {
  nowMs = 1_000;
  readonly io = new FakePacketIo();
  readonly streams = new FakeStreams();
  readonly pins: FakePins;
  readonly log: RefusalLine[] = [];
  readonly core: ProxyCore;
  #seed = 1;

  constructor(limits: Partial<ProxyLimits> = {}, servers: readonly DnsUpstream[] = upstreams) {
    const all = { ...proxyLimits, cacheEntries: 0, ...limits };
    this.pins = new FakePins(all.maxElementsPerSet, () => this.nowMs);
    this.core = new ProxyCore({
      ...{ io: this.io, streams: this.streams, pins: this.pins, limits: all, clock: () => this.nowMs },
      random: new RandomPool((pool) => this.#fill(pool)),
      log: (line) => this.log.push(line),
    });
    void this.io.run(this.core);
    this.core.setUpstreams(servers);
    this.attach('tap0', resolver);
  }

  /** A linear congruential generator: the same for every run. */
  #fill(pool: Buffer): void {
    for (let at = 0; at < pool.length; at++) {
      this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) >>> 0;
      pool[at] = this.#seed >>> 16;
    }
  }

  attach(tap: string, listen: DnsEndpoint, own: DnsSandboxPolicy = policy): void {
    this.pins.makeSets(tap);
    this.core.attach({ tap, listen: [listen], policy: own }, (endpoint) => this.io.listen(endpoint));
  }

  /** A guest asks; the round is not over. */
  put(name: string, shape: QuestionShape = {}, client = guest, to = resolver): void {
    this.io.arrive(to, client, question(name, shape));
  }

  /** A guest asks, in a round of its own; what went upstream for it. */
  ask(name: string, shape: QuestionShape = {}, client = guest, to = resolver): Asked[] {
    this.put(name, shape, client, to);
    this.round();
    return this.takeAsked();
  }

  takeAsked(): Asked[] {
    return this.io.asked.splice(0);
  }

  /** The server replies, in a round of its own; what the guests were told. */
  reply(to: Asked, ...records: readonly SampleRecord[]): Told[] {
    this.io.reply(to.socket, reply(to.message, records));
    return this.round();
  }

  /** Ends a round; answers that went out with it. */
  round(passMs = 0): Told[] {
    this.nowMs += passMs;
    this.io.round(this.nowMs);
    return this.io.answered.splice(0).map(({ client, message }) => ({ ...readAnswer(message), client }));
  }

  /** Elements that stand, as text. */
  pinned(): string[] {
    return this.pins
      .read()
      .map(({ tap, address, protocol, port }) => `${tap} ${address} ${protocol} ${port}`)
      .sort();
  }

  count(name: string, rule: string): number {
    return this.core.snapshot().counts.find(([one, which]) => one === name && which === rule)?.[2] ?? 0;
  }
}

export const only = <T>(items: readonly T[]): T => {
  if (items.length !== 1) throw new Error(`${items.length} instead of one`);
  return items[0] as T;
};
