/**
 * A tiny forwarder to practise on: right by the reference's decisions, or with one flaw that it was given. Only
 * tests start it. Invariant: what it opens, `close` closes.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { buildAnswer, planAnswer } from '#reference/decisions/dns-answer/dns-build.ts';
import { compileDnsPolicy, type DnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { decideQuery, emptyAnswer, type QueryVerdict } from '#reference/decisions/dns-answer/dns-query.ts';
import { judgeReply } from '#reference/decisions/dns-answer/dns-reply.ts';
import { type Message, rcode, readMessage } from '#reference/decisions/dns-answer/wire.ts';
import { formatAddress } from '#reference/decisions/pin-address/ip-address.ts';
import type { Endpoint } from './endpoint.ts';

/** What is wrong with it; each hook sees what the right forwarder would do. */
export interface Flaw {
  /** Addresses that it lets through although the policy refuses them. */
  readonly lets?: (address: string) => boolean;
  /** Addresses that it refuses although the policy lets them through. */
  readonly refuses?: (address: string) => boolean;
  readonly randomCase?: false;
  /** The query as it goes upstream. */
  readonly upstreamQuery?: (query: Buffer, guest: Buffer) => Buffer;
  /** A reply, before it is judged. */
  readonly reply?: (reply: Buffer, query: Buffer) => Buffer;
  readonly anySource?: true;
  /** The answer, before the guest gets it. */
  readonly answer?: (answer: Buffer, guest: Buffer, reply: Buffer) => Buffer;
  /** Forwards the message as it came, and relays what comes back. */
  readonly relays?: (verdict: QueryVerdict, guest: Buffer) => boolean;
  /** Questions on their way, of everybody together. */
  readonly maxInFlight?: number;
  /** false: the pin fails and is answered all the same. */
  readonly pins?: (address: string) => boolean;
  /** Ends with this message. */
  readonly diesOf?: (guest: Buffer) => boolean;
}

const upstreamTimeoutMs = 700;
const config = {
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  ipv6: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
};

type Respond = (answer: Uint8Array) => void;

export class PracticeForwarder {
  readonly #flaw: Flaw;
  readonly #policy: DnsPolicy;
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #open = new Set<{ close: () => void }>();
  readonly endpoint: Endpoint;
  upstream: Endpoint = { address: '127.0.0.1', port: 9 };
  /** What it has pinned, with the seconds that were asked for. */
  readonly pinned = new Map<string, number>();
  #inFlight = 0;

  private constructor(
    udp: Socket,
    tcp: Server,
    flaw: Flaw,
    allow: readonly string[],
    denyCIDRs: readonly string[],
  ) {
    const { randomCase = true } = flaw;
    const compiled = compileDnsPolicy({
      ...config,
      allow: [...allow],
      denyCIDRs: [...denyCIDRs],
      randomCase,
    });
    this.#policy = flawed(compiled, flaw);
    this.#flaw = flaw;
    this.#udp = udp;
    this.#tcp = tcp;
    this.endpoint = { address: '127.0.0.1', port: udp.address().port };
    udp.on('message', (guest, from) => {
      void this.#handle(guest, 'udp', (answer) => this.#udp.send(answer, from.port, from.address));
    });
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  static async open(
    flaw: Flaw = {},
    allow: readonly string[] = ['*.huskproof.example:443'],
    denyCIDRs: readonly string[] = [],
  ): Promise<PracticeForwarder> {
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
    const tcp = createServer();
    await new Promise<void>((resolve) => tcp.listen(udp.address().port, '127.0.0.1', resolve));
    return new PracticeForwarder(udp, tcp, flaw, allow, denyCIDRs);
  }

  close(): void {
    for (const one of [...this.#open]) one.close();
    this.#tcp.close();
    if (!this.#dead) this.#udp.close();
    this.#dead = true;
  }

  #dead = false;

  #serve(socket: TcpSocket): void {
    const entry = { close: () => socket.destroy() };
    this.#open.add(entry);
    socket.on('close', () => this.#open.delete(entry));
    socket.on('error', () => socket.destroy());
    socket.on('data', (octets) => {
      const guest = octets.subarray(2);
      void this.#handle(guest, 'tcp', (answer) => socket.write(framed(answer)));
    });
  }

  async #handle(guest: Buffer, transport: 'udp' | 'tcp', respond: Respond): Promise<void> {
    if (this.#flaw.diesOf?.(guest) === true) {
      this.close();
      return;
    }
    const random = { id: randomBytes(2).readUInt16BE(), caseBits: randomBytes(32) };
    const decided = decideQuery(this.#policy, guest, transport, random);
    if (this.#flaw.relays?.(decided, guest) === true) {
      const reply = await this.#ask(guest, 'udp', (octets) => octets);
      if (reply !== null) respond(reply);
      return;
    }
    if (decided.verdict === 'answer') respond(decided.message);
    if (decided.verdict !== 'forward') return;
    const message = readMessage(guest);
    if (message === null) return;
    if (this.#inFlight >= (this.#flaw.maxInFlight ?? Number.POSITIVE_INFINITY)) {
      respond(emptyAnswer(guest, message, rcode.refused));
      return;
    }
    this.#inFlight += 1;
    const answer = await this.#resolve(guest, message, Buffer.from(decided.message), transport);
    this.#inFlight -= 1;
    if (!this.#dead) respond(answer);
  }

  async #resolve(
    guest: Buffer,
    message: Message,
    fresh: Buffer,
    transport: 'udp' | 'tcp',
  ): Promise<Uint8Array> {
    const query = this.#flaw.upstreamQuery?.(fresh, guest) ?? fresh;
    const reply = await this.#exchange(query);
    const failed = emptyAnswer(guest, message, rcode.servFail);
    const read = reply === null ? null : readMessage(reply);
    if (reply === null || read === null) return failed;
    const plan = planAnswer(this.#policy, message, read, transport);
    for (const { offset, length } of plan.addresses) {
      const address = formatAddress(reply, offset, length);
      if (this.#flaw.pins?.(address) !== false) this.pinned.set(address, plan.pinTtlSeconds);
    }
    const answer = Buffer.from(buildAnswer(message, read, plan, plan.pinTtlSeconds));
    return this.#flaw.answer?.(answer, guest, reply) ?? answer;
  }

  /** UDP, and TCP where the reply says TC=1; null: no reply that is one. */
  async #exchange(query: Buffer): Promise<Buffer | null> {
    let truncated = false;
    const judge = (over: 'udp' | 'tcp') => (octets: Buffer, from: Endpoint) => {
      const reply = this.#flaw.reply?.(octets, query) ?? octets;
      const source = this.#flaw.anySource === true ? this.upstream : from;
      const { verdict } = judgeReply(this.#policy, {
        query,
        sentTo: this.upstream,
        reply,
        from: source,
        transport: over,
      });
      truncated ||= verdict === 'retry-tcp';
      return verdict === 'ignore' ? null : verdict === 'accept' ? reply : Buffer.alloc(0);
    };
    const overUdp = await this.#ask(query, 'udp', judge('udp'));
    return truncated ? await this.#ask(query, 'tcp', judge('tcp')) : overUdp;
  }

  #ask(
    query: Buffer,
    over: 'udp' | 'tcp',
    accept: (reply: Buffer, from: Endpoint) => Buffer | null,
  ): Promise<Buffer | null> {
    return new Promise((resolve) => {
      let end: (reply: Buffer | null) => void = resolve;
      const hear = (octets: Buffer, from: Endpoint) => {
        const reply = accept(octets, from);
        if (reply !== null) end(reply);
      };
      const socket = over === 'udp' ? this.#udpTo(query, hear) : this.#tcpTo(query, hear, () => end(null));
      const entry = { close: () => end(null) };
      this.#open.add(entry);
      const timer = setTimeout(() => end(null), upstreamTimeoutMs);
      end = (reply) => {
        clearTimeout(timer);
        if (this.#open.delete(entry)) socket.close();
        resolve(reply);
      };
    });
  }

  #udpTo(query: Buffer, hear: (octets: Buffer, from: Endpoint) => void): { close: () => void } {
    const socket = createSocket('udp4');
    socket.on('message', hear);
    socket.on('error', () => undefined);
    socket.send(query, this.upstream.port, this.upstream.address);
    return socket;
  }

  #tcpTo(
    query: Buffer,
    hear: (octets: Buffer, from: Endpoint) => void,
    fail: () => void,
  ): { close: () => void } {
    const socket = connect(this.upstream.port, this.upstream.address, () => socket.write(framed(query)));
    let buffered = Buffer.alloc(0);
    socket.on('error', fail);
    socket.on('data', (more) => {
      buffered = Buffer.concat([buffered, more]);
      if (buffered.length < 2 || buffered.length < 2 + buffered.readUInt16BE(0)) return;
      hear(buffered.subarray(2, 2 + buffered.readUInt16BE(0)), this.upstream);
    });
    return { close: () => socket.destroy() };
  }
}

function flawed(policy: DnsPolicy, { lets, refuses }: Flaw): DnsPolicy {
  return {
    ...policy,
    addresses: {
      ...policy.addresses,
      decide(bytes, offset, length) {
        const right = policy.addresses.decide(bytes, offset, length);
        const address = formatAddress(bytes, offset, length);
        const family = length === 4 ? ('ipv4' as const) : ('ipv6' as const);
        if (lets?.(address) === true) return { ...right, pin: true, family };
        return refuses?.(address) === true ? { ...right, pin: false } : right;
      },
    },
  };
}

const framed = (octets: Uint8Array) =>
  Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 255]), octets]);
