/**
 * Questions on their way to an upstream server: asked, listened for, tried again.
 * Invariant: there are never two queries on their way for one question, so that a forger has one ID, one port and one
 * case to find (RFC 5452); what is not the reply ends no wait.
 */

import { DeadlineQueue } from '#reference/base/deadline-queue.ts';
import { copyOctets } from '#reference/base/octet-block.ts';
import type { RandomPool } from '#reference/base/random-pool.ts';
import { SlotMap } from '#reference/base/slot-map.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { compileDnsPolicy, type DnsPolicy } from '../../decisions/dns-answer/dns-policy.ts';
import { freshQuery } from '../../decisions/dns-answer/dns-query.ts';
import { judgeReply } from '../../decisions/dns-answer/dns-reply.ts';
import type { WireName } from '../../decisions/dns-answer/name.ts';
import { headerOctets, type Message, u16 } from '../../decisions/dns-answer/wire.ts';
import type { PacketIo } from '../packets/packet-io.ts';
import type { StreamIo } from '../streams/stream-io.ts';
import type { Counts } from './counts.ts';
import type { UpstreamServer, Upstreams } from './upstreams.ts';

export interface Exchange<W> {
  readonly key: string;
  readonly name: WireName;
  readonly type: number;
  waiters: W[];
  attempts: number;
  server: UpstreamServer | null;
  query: Uint8Array;
  /** Socket and ID as one number; -1 while no UDP query is on its way. */
  place: number;
  /** Of the TCP query that is on its way; -1 when none is. */
  token: number;
  isOver: boolean;
}

export interface ExchangeLimits {
  readonly attemptMs: number;
  readonly streamAttemptMs: number;
  readonly maxAttempts: number;
}

export interface ExchangeParts<W> {
  readonly io: PacketIo;
  readonly streams: StreamIo;
  readonly upstreams: Upstreams;
  readonly random: RandomPool;
  readonly counts: Counts;
  readonly limits: ExchangeLimits;
  /** null: no server gave a reply that can be used, for the reason that `rule` says. */
  readonly ended: (exchange: Exchange<W>, reply: Message | null, rule: string) => void;
  readonly serverDown: (server: UpstreamServer) => void;
}

interface Attempt<W> {
  readonly exchange: Exchange<W>;
  readonly attempt: number;
}

/** A socket and an ID that another question has are drawn again so often. */
const maxDraws = 16;
const nowhere = -1;

/** judgeReply reads one word of a policy: must the case come back as it was sent? */
function judgingPolicy(randomCase: boolean): DnsPolicy {
  const none = { allow: [], denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
  return compileDnsPolicy({
    ...none,
    ipv6: false,
    randomCase,
    ttlFloorSeconds: 0,
    ttlCeilingSeconds: 0,
    maxPinsPerAnswer: 0,
  });
}
const [exactCase, anyCase] = [judgingPolicy(true), judgingPolicy(false)];

export class Exchanges<W> {
  readonly #parts: ExchangeParts<W>;
  readonly #byKey = new SlotMap<string, Exchange<W>>();
  readonly #byPlace = new SlotMap<number, Exchange<W>>();
  readonly #byToken = new Map<number, Exchange<W>>();
  readonly #deadlines: DeadlineQueue<Attempt<W>>;
  readonly #streamDeadlines: DeadlineQueue<Attempt<W>>;
  readonly #queues: readonly DeadlineQueue<Attempt<W>>[];
  #nextToken = 1;

  constructor(parts: ExchangeParts<W>) {
    this.#parts = parts;
    this.#deadlines = new DeadlineQueue(parts.limits.attemptMs);
    this.#streamDeadlines = new DeadlineQueue(parts.limits.streamAttemptMs);
    this.#queues = [this.#deadlines, this.#streamDeadlines];
  }

  get size(): number {
    return this.#byKey.size;
  }

  all(): Iterable<Exchange<W>> {
    return this.#byKey.values();
  }

  /** Waits for what is on its way already. False when nothing is. */
  join(key: string, waiter: W): boolean {
    const exchange = this.#byKey.get(key);
    exchange?.waiters.push(waiter);
    return exchange !== undefined;
  }

  /** @param query fresh, with 0x20: the first attempt, unless the server wants another */
  begin(key: string, name: WireName, type: number, query: Uint8Array, waiter: W, nowMs: number): void {
    const exchange: Exchange<W> = {
      key,
      name,
      type,
      waiters: [waiter],
      attempts: 0,
      server: null,
      query,
      place: nowhere,
      token: nowhere,
      isOver: false,
    };
    this.#byKey.set(key, exchange);
    this.#attempt(exchange, nowMs);
  }

  #attempt(exchange: Exchange<W>, nowMs: number): void {
    const { upstreams, counts, limits } = this.#parts;
    while (exchange.attempts < limits.maxAttempts) {
      const server = upstreams.choose(nowMs, exchange.server);
      if (server === null) {
        this.#end(exchange, null, 'no upstream server');
        return;
      }
      exchange.attempts += 1;
      exchange.server = server;
      if (this.#send(exchange, server, nowMs)) return;
      counts.add('attempts', 'not sent');
      this.#failed(server, nowMs);
    }
    this.#end(exchange, null, 'no upstream server replied');
  }

  #send(exchange: Exchange<W>, server: UpstreamServer, nowMs: number): boolean {
    const { io, counts } = this.#parts;
    for (let draws = 0; draws < maxDraws; draws++) {
      const isGiven = exchange.attempts === 1 && draws === 0 && server.randomCase;
      const query = isGiven ? exchange.query : this.#fresh(exchange, server);
      const socket = io.pickSocket(server.index);
      if (socket === null) return false;
      const place = socket * 65_536 + u16(query, 0);
      if (this.#byPlace.has(place)) continue;
      if (!io.ask(socket, query)) return false;
      counts.add('attempts', 'udp');
      exchange.query = query;
      exchange.place = place;
      this.#byPlace.set(place, exchange);
      this.#deadlines.set({ exchange, attempt: exchange.attempts }, nowMs);
      return true;
    }
    return false;
  }

  #fresh({ name, type }: Exchange<W>, { randomCase }: UpstreamServer): Uint8Array {
    const { random } = this.#parts;
    return freshQuery(name, type, { id: random.uint16(), caseBits: random.bytes(32) }, randomCase);
  }

  /** What came to an upstream socket, from whomever. */
  received(socket: number, from: DnsEndpoint, view: Uint8Array, nowMs: number): void {
    const { counts } = this.#parts;
    const exchange = view.length < 2 ? undefined : this.#byPlace.get(socket * 65_536 + u16(view, 0));
    const server = exchange?.server;
    if (exchange === undefined || server === undefined || server === null) {
      counts.add('replies', view.length < headerOctets ? 'shorter than a header' : 'no query waits for it');
      return;
    }
    const reply = copyOctets(view);
    const { query } = exchange;
    const policy = server.randomCase ? exactCase : anyCase;
    const verdict = judgeReply(policy, { query, sentTo: server.endpoint, reply, from, transport: 'udp' });
    counts.add('replies', verdict.rule);
    // The wait goes on.
    if (verdict.verdict === 'ignore') return;
    this.#parts.upstreams.replied(server);
    this.#forget(exchange);
    if (verdict.verdict === 'accept') this.#end(exchange, verdict.message, verdict.rule);
    else if (verdict.verdict === 'retry-tcp') this.#askByStream(exchange, server, nowMs);
    else this.#attempt(exchange, nowMs);
  }

  #askByStream(exchange: Exchange<W>, server: UpstreamServer, nowMs: number): void {
    const { streams, counts, limits } = this.#parts;
    if (exchange.attempts >= limits.maxAttempts) {
      this.#end(exchange, null, 'no upstream server replied');
      return;
    }
    counts.add('attempts', 'tcp');
    exchange.attempts += 1;
    exchange.query = this.#fresh(exchange, server);
    exchange.token = this.#nextToken++;
    this.#byToken.set(exchange.token, exchange);
    this.#streamDeadlines.set({ exchange, attempt: exchange.attempts }, nowMs);
    streams.ask(server.endpoint, exchange.query, exchange.token);
  }

  streamReceived(token: number, reply: Uint8Array | null, nowMs: number): void {
    const { counts, upstreams } = this.#parts;
    const exchange = this.#byToken.get(token);
    const server = exchange?.server;
    if (exchange === undefined || server === undefined || server === null) return;
    this.#forget(exchange);
    if (reply === null) {
      counts.add('replies', 'nothing over TCP');
      this.#failed(server, nowMs);
      this.#attempt(exchange, nowMs);
      return;
    }
    const { query } = exchange;
    const sentTo = server.endpoint;
    const policy = server.randomCase ? exactCase : anyCase;
    const verdict = judgeReply(policy, { query, sentTo, reply, from: sentTo, transport: 'tcp' });
    counts.add('replies', verdict.rule);
    if (verdict.verdict === 'accept') {
      upstreams.replied(server);
      this.#end(exchange, verdict.message, verdict.rule);
    } else this.#attempt(exchange, nowMs);
  }

  /** Ends what waited too long; when the next is due. */
  expire(nowMs: number): number {
    for (const deadlines of this.#queues) {
      for (let due = deadlines.take(nowMs); due !== null; due = deadlines.take(nowMs)) {
        const { exchange, attempt } = due;
        const { server } = exchange;
        if (isPast(due) || server === null) continue;
        this.#parts.counts.add('attempts', 'timed out');
        this.#failed(server, nowMs);
        this.#forget(exchange);
        if (exchange.attempts === attempt) this.#attempt(exchange, nowMs);
      }
      deadlines.drop(isPast);
    }
    return Math.min(this.#deadlines.nextMs, this.#streamDeadlines.nextMs);
  }

  #failed(server: UpstreamServer, nowMs: number): void {
    if (this.#parts.upstreams.failed(server, nowMs)) this.#parts.serverDown(server);
  }

  #forget(exchange: Exchange<W>): void {
    if (exchange.place !== nowhere) this.#byPlace.delete(exchange.place);
    if (exchange.token !== nowhere) this.#byToken.delete(exchange.token);
    exchange.place = nowhere;
    exchange.token = nowhere;
  }

  #end(exchange: Exchange<W>, reply: Message | null, rule: string): void {
    this.#forget(exchange);
    exchange.isOver = true;
    this.#byKey.delete(exchange.key);
    this.#parts.ended(exchange, reply, rule);
  }

  /** Nobody waits for it any more. */
  abandon(exchange: Exchange<W>): void {
    this.#forget(exchange);
    exchange.isOver = true;
    this.#byKey.delete(exchange.key);
  }

  /** The servers are others from now on: what is on its way is asked of them anew. */
  restart(nowMs: number): void {
    for (const exchange of this.all()) {
      this.#forget(exchange);
      exchange.server = null;
      this.#attempt(exchange, nowMs);
    }
  }
}

/** Answered, or asked again since. */
function isPast<W>({ exchange, attempt }: Attempt<W>): boolean {
  return exchange.isOver || exchange.attempts !== attempt;
}
