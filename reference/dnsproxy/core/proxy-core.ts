/**
 * The DNS proxy without I/O of its own: guests' messages and servers' replies in, pins and answers out, in rounds.
 * Invariant: an answer with addresses leaves only after the kernel acknowledged every one of their pins; whatever
 * fails ends in SERVFAIL or silence, with nothing newly pinned.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { copyOctets } from '#reference/base/octet-block.ts';
import { RandomPool } from '#reference/base/random-pool.ts';
import type { DnsEndpoint, DnsSandbox, DnsSandboxPolicy } from '#reference/contract/dns-port.ts';
import type { PinPort } from '#reference/contract/pin-port.ts';
import { compileDnsPolicy } from '../../decisions/dns-answer/dns-policy.ts';
import { decideQuery, emptyAnswer } from '../../decisions/dns-answer/dns-query.ts';
import { type Message, rcode } from '../../decisions/dns-answer/wire.ts';
import { endpointText } from '../bind-refusal.ts';
import { checkAllowEntries } from '../check-policy.ts';
import type { PacketHandler, PacketIo } from '../packets/packet-io.ts';
import type { StreamHandler, StreamIo } from '../streams/stream-io.ts';
import { Clients, type InFlight } from './clients.ts';
import { type CountSnapshot, Counts } from './counts.ts';
import { Exchanges } from './exchanges.ts';
import { GuestAnswers } from './guest-answers.ts';
import type { ProxyLimits } from './limits.ts';
import { type RefusalLine, RefusalLog } from './refusal-log.ts';
import { ReplyCache } from './reply-cache.ts';
import { type Origin, questionKey, type Sandbox, type Waiter } from './sandbox.ts';
import { type DnsUpstream, Upstreams } from './upstreams.ts';

export interface CoreParts {
  readonly io: PacketIo;
  readonly streams: StreamIo;
  readonly pins: PinPort;
  readonly limits: ProxyLimits;
  readonly clock: () => number;
  readonly random?: RandomPool;
  readonly log: (line: RefusalLine) => void;
}

const [byUdp, noListener] = [-1, -1];

export class ProxyCore implements PacketHandler, StreamHandler {
  readonly #io: PacketIo;
  readonly #streams: StreamIo;
  readonly #limits: ProxyLimits;
  readonly #clock: () => number;
  readonly #random: RandomPool;
  readonly #counts = new Counts();
  readonly #log: RefusalLog;
  readonly #upstreams: Upstreams;
  readonly #exchanges: Exchanges<Waiter>;
  readonly #answers: GuestAnswers;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #byListener = new Map<number, Sandbox>();
  readonly #inFlight: InFlight = { total: 0 };
  /** Of the message that is being decided on; used up within the call. */
  readonly #coins = { id: 0, caseBits: new Uint8Array(32) };
  /** Time of this round; null between rounds. */
  #nowMs: number | null = null;
  #drain: { readonly endMs: number; readonly drained: () => void } | null = null;

  constructor({ io, streams, pins, limits, clock, log, random = new RandomPool() }: CoreParts) {
    this.#io = io;
    this.#streams = streams;
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    this.#log = new RefusalLog(log, limits.refusalsLoggedPerSecond);
    this.#upstreams = new Upstreams(limits);
    this.#answers = new GuestAnswers({
      ...{ io, streams, pins, limits, clock, counts: this.#counts, log: this.#log },
    });
    this.#exchanges = new Exchanges<Waiter>({
      ...{ io, streams, limits, random, counts: this.#counts, upstreams: this.#upstreams },
      ended: ({ key, waiters }, reply, rule) => this.#ended(key, waiters, reply, rule),
      serverDown: ({ endpoint }) =>
        this.#log.add(this.#now(), () => ({
          ...{ level: 'warn', what: 'upstream server is down', rule: 'time-outs in a row' },
          address: endpointText(endpoint),
        })),
    });
  }

  /** What an earlier proxy left is taken back. @throws CodedError `pins-refused` */
  reconcile(): readonly string[] {
    return this.#answers.pins.reconcile();
  }

  setUpstreams(upstreams: readonly DnsUpstream[]): void {
    this.#io.setUpstreams(upstreams);
    this.#upstreams.set(upstreams);
    this.#exchanges.restart(this.#clock());
    this.#endControl();
  }

  #now(): number {
    this.#nowMs ??= this.#clock();
    return this.#nowMs;
  }

  guestMessage(listener: number, client: DnsEndpoint, message: Uint8Array): void {
    const sandbox = this.#byListener.get(listener);
    if (sandbox !== undefined) this.#question(sandbox, listener, byUdp, client, message);
  }

  guestStream(tap: string, connection: number, client: DnsEndpoint, message: Uint8Array): void {
    const sandbox = this.#sandboxes.get(tap);
    if (sandbox === undefined) this.#streams.answer(connection, null);
    else this.#question(sandbox, noListener, connection, client, message);
  }

  upstreamMessage(socket: number, from: DnsEndpoint, message: Uint8Array): void {
    this.#exchanges.received(socket, from, message, this.#now());
  }

  upstreamStream(token: number, reply: Uint8Array | null): void {
    this.#exchanges.streamReceived(token, reply, this.#now());
    this.#io.wake();
  }

  #question(
    sandbox: Sandbox,
    listener: number,
    connection: number,
    endpoint: DnsEndpoint,
    view: Uint8Array,
  ): void {
    const nowMs = this.#now();
    // What the adapter lends is its own again after this call.
    const bytes = copyOctets(view);
    const transport = connection === byUdp ? 'udp' : 'tcp';
    const coins = this.#coins;
    coins.id = this.#random.uint16();
    this.#random.into(coins.caseBits);
    const verdict = decideQuery(sandbox.policy, bytes, transport, coins);
    this.#counts.add('queries', verdict.rule);
    const origin: Origin = { sandbox, listener, connection, endpoint, transport, startMs: nowMs };
    if (verdict.verdict === 'drop' || this.#drain !== null) {
      this.#answers.send(origin, null);
      return;
    }
    if (verdict.verdict === 'answer') {
      this.#answers.refuse(origin, bytes, verdict.message, verdict.rule, nowMs);
      return;
    }
    const { guest } = verdict;
    const client = sandbox.clients.of(endpoint.address, nowMs);
    const overflow = client === null ? 'too many addresses of one sandbox' : sandbox.clients.begin(client);
    if (client === null || overflow !== null) {
      this.#answers.overflow(origin, bytes, guest, client, overflow ?? '', nowMs);
      return;
    }
    // Field by field: a copy of another object takes many times as long.
    const waiter: Waiter = {
      sandbox,
      listener,
      connection,
      endpoint,
      transport,
      startMs: nowMs,
      client,
      guest,
    };
    const key = questionKey(guest.question);
    const cached = sandbox.cache.get(key, nowMs);
    if (cached !== null) this.#counts.add('cache', 'hit');
    if (cached !== null) this.#answers.plan(waiter, cached, nowMs);
    else if (!this.#exchanges.join(key, waiter)) {
      const { name, type } = guest.question;
      this.#exchanges.begin(key, name, type, verdict.message, waiter, nowMs);
    }
    if (connection !== byUdp) this.#io.wake();
  }

  #ended(key: string, waiters: readonly Waiter[], reply: Message | null, rule: string): void {
    const nowMs = this.#now();
    if (reply === null) {
      for (const waiter of waiters) this.#answers.fail(waiter, rule, nowMs);
      return;
    }
    // Most questions are one guest's alone.
    const sandboxes = waiters.length === 1 ? null : new Set(waiters.map(({ sandbox }) => sandbox));
    if (sandboxes === null) waiters[0]?.sandbox.cache.put(key, reply, nowMs);
    else for (const { cache } of sandboxes) cache.put(key, reply, nowMs);
    for (const waiter of waiters) this.#answers.plan(waiter, reply, nowMs);
  }

  roundEnded(nowMs: number): number {
    this.#nowMs = nowMs;
    const nextMs = this.#exchanges.expire(nowMs);
    this.#answers.pins.settle();
    this.#io.flush();
    this.#nowMs = null;
    const drainMs = this.#endDrain(nowMs);
    return Math.max(0, Math.min(nextMs, drainMs, this.#log.tick(nowMs)) - nowMs);
  }

  #endDrain(nowMs: number): number {
    if (this.#drain === null) return Number.POSITIVE_INFINITY;
    const { endMs, drained } = this.#drain;
    if (this.#inFlight.total > 0 && nowMs < endMs) return endMs;
    this.#drain = { endMs, drained: () => undefined };
    drained();
    return Number.POSITIVE_INFINITY;
  }

  /** Nothing more is accepted; told when nothing is under way any more, or the time is over. */
  drain(drained: () => void): void {
    this.#drain ??= { endMs: this.#clock() + this.#limits.drainMs, drained };
    this.#io.wake();
  }

  #compile(policy: DnsSandboxPolicy) {
    checkAllowEntries(policy.allow);
    return compileDnsPolicy({ ...policy, ...this.#limits, randomCase: true });
  }

  /** UDP listens when it ends. @throws CodedError as `DnsProxyPort.attach` */
  attach({ tap, listen, policy }: DnsSandbox, listenOn: (endpoint: DnsEndpoint) => number): void {
    if (this.#sandboxes.has(tap)) {
      throw new CodedError('tap-taken', `a sandbox is attached to ${tap}`, 'detach it first');
    }
    const compiled = this.#compile(policy);
    if (policy.ipv6 && !this.#answers.hasSets(tap, 'ipv6')) {
      throw new CodedError(
        'no-sandbox',
        `no set of IPv6 pins stands for ${tap}`,
        'open the sandbox with IPv6 in the datapath, or leave ipv6 off in its DNS policy',
      );
    }
    const listeners: number[] = [];
    try {
      for (const endpoint of listen) listeners.push(listenOn(endpoint));
      this.#answers.pins.attach(tap, policy.allow);
    } catch (error) {
      for (const listener of listeners) this.#io.unlisten(listener);
      throw error;
    }
    const clients = new Clients(this.#limits, this.#inFlight);
    const cache = new ReplyCache(this.#limits);
    const sandbox: Sandbox = { tap, listeners, clients, cache, policy: compiled };
    this.#sandboxes.set(tap, sandbox);
    for (const listener of listeners) this.#byListener.set(listener, sandbox);
    this.#endControl();
  }

  /** @throws CodedError as `DnsProxyPort.change` */
  change(tap: string, policy: DnsSandboxPolicy): void {
    const sandbox = this.#known(tap);
    const compiled = this.#compile(policy);
    this.#answers.pins.settle();
    // From here on nothing is pinned that the new policy does not say: it stands even if taking back fails.
    sandbox.policy = compiled;
    for (const waiter of this.#takeWaiters(({ sandbox: own, guest }) => {
      return own === sandbox && compiled.allowlist.portsOf(guest.question.name).length === 0;
    })) {
      const { guest } = waiter;
      this.#answers.finish(
        waiter,
        emptyAnswer(guest.bytes, guest, rcode.refused),
        'the policy changed',
        this.#now(),
      );
    }
    try {
      this.#answers.pins.change(tap, policy.allow);
    } finally {
      this.#endControl();
    }
  }

  /** @throws CodedError `no-sandbox`, `pins-refused`: nothing listens there any more in either case */
  detach(tap: string): void {
    const sandbox = this.#known(tap);
    this.#answers.pins.settle();
    this.#io.flush();
    for (const waiter of this.#takeWaiters((one) => one.sandbox === sandbox)) {
      this.#answers.finish(waiter, null, 'the sandbox is gone', this.#now());
    }
    this.#sandboxes.delete(tap);
    for (const listener of sandbox.listeners) {
      this.#byListener.delete(listener);
      this.#io.unlisten(listener);
    }
    try {
      this.#answers.pins.detach(tap);
    } finally {
      this.#endControl();
    }
  }

  #known(tap: string): Sandbox {
    const sandbox = this.#sandboxes.get(tap);
    if (sandbox !== undefined) return sandbox;
    throw new CodedError('no-sandbox', `no sandbox is attached to ${tap}`, 'attach it first');
  }

  /** Takes them out of every exchange; one that nobody waits for is given up. */
  #takeWaiters(leaves: (waiter: Waiter) => boolean): Waiter[] {
    const taken: Waiter[] = [];
    for (const exchange of this.#exchanges.all()) {
      taken.push(...exchange.waiters.filter(leaves));
      exchange.waiters = exchange.waiters.filter((waiter) => !leaves(waiter));
      if (exchange.waiters.length === 0) this.#exchanges.abandon(exchange);
    }
    return taken;
  }

  #endControl(): void {
    this.#io.flush();
    this.#nowMs = null;
    this.#io.wake();
  }

  get taps(): string[] {
    return [...this.#sandboxes.keys()];
  }

  snapshot(): CountSnapshot {
    return {
      ...this.#counts.snapshot(),
      inFlight: this.#inFlight.total,
      exchanges: this.#exchanges.size,
      sandboxes: this.#sandboxes.size,
      upstreams: this.#upstreams.servers.map(({ endpoint, probeMs }) => ({
        endpoint: endpointText(endpoint),
        isUp: probeMs === null,
      })),
    };
  }
}
