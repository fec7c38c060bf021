/**
 * Datagrams by `node:dgram`: the portable adapter of `PacketIo`, in the thread of whoever runs it.
 * Invariant: a round is all that one turn of the event loop found; nothing is sent from a buffer that a caller
 * still owns; every socket is closed when it is over.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { RandomPool } from '#reference/base/random-pool.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { bindRefusal } from '../bind-refusal.ts';
import type { PacketHandler, PacketIo } from './packet-io.ts';

export interface DgramIoOptions {
  /** Sockets that are open to each upstream server. */
  readonly socketsPerUpstream: number;
  /** One socket is replaced so often, while there is traffic. */
  readonly renewEveryMs: number;
  /** A socket that was replaced receives so long: past the deadline of every query. */
  readonly lingerMs: number;
}

export const dgramIoDefaults: DgramIoOptions = {
  socketsPerUpstream: 512,
  renewEveryMs: 20,
  lingerMs: 10_000,
};

const receiveBufferOctets = 4 << 20;

interface Answer {
  readonly listener: number;
  readonly client: DnsEndpoint;
  readonly message: Buffer;
}

interface Pool {
  readonly upstream: DnsEndpoint;
  /** The oldest first. */
  readonly sockets: number[];
}

/** Addresses come as numbers: the callback comes within the call, so that `bind` and `connect` do their work at once. */
type Found = (error: Error | null, address: string, family: number) => void;
const noLookup = (address: string, family: unknown, found: unknown): void => {
  (found as Found)(null, address, family as number);
};

function newSocket(address: string): Socket {
  const ipv6 = isIPv6(address);
  const options = { recvBufferSize: receiveBufferOctets, lookup: noLookup };
  return createSocket(ipv6 ? { ...options, type: 'udp6', ipv6Only: true } : { ...options, type: 'udp4' });
}

export class DgramIo implements PacketIo {
  readonly #options: DgramIoOptions;
  readonly #random = new RandomPool();
  readonly #sockets = new Map<number, Socket>();
  readonly #lingering = new Map<Socket, NodeJS.Timeout>();
  readonly #answers: Answer[] = [];
  #pools: Pool[] = [];
  #nextIndex = 0;
  #renewal: NodeJS.Timeout | null = null;
  #isAsked = false;
  #handler: PacketHandler | null = null;
  #round: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #ended: (() => void) | null = null;
  #isClosed = false;

  constructor(options: Partial<DgramIoOptions> = {}) {
    this.#options = { ...dgramIoDefaults, ...options };
  }

  listen(endpoint: DnsEndpoint): number {
    const socket = newSocket(endpoint.address);
    const index = this.#nextIndex++;
    let refusal: (Error & { code?: string }) | null = null;
    socket.on('error', (error) => {
      refusal = error;
    });
    socket.on('message', (message, client) => {
      this.#handler?.guestMessage(index, client, message);
      this.#endRound();
    });
    socket.bind({ port: endpoint.port, address: endpoint.address, exclusive: true });
    if (refusal !== null) {
      socket.close();
      throw bindRefusal('udp', endpoint, (refusal as { code?: string }).code ?? String(refusal), refusal);
    }
    this.#sockets.set(index, socket);
    return index;
  }

  unlisten(listener: number): void {
    this.#sockets.get(listener)?.close();
    this.#sockets.delete(listener);
  }

  setUpstreams(upstreams: readonly DnsEndpoint[]): void {
    for (const { sockets } of this.#pools) for (const index of sockets) this.#retire(index);
    this.#pools = upstreams.map((upstream) => ({ upstream, sockets: [] }));
    for (const pool of this.#pools) {
      for (let count = 0; count < this.#options.socketsPerUpstream; count++) this.#renewOne(pool);
    }
    this.#renewal ??= setInterval(() => this.#renew(), this.#options.renewEveryMs).unref();
  }

  #renew(): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    for (const pool of this.#pools) this.#renewOne(pool);
  }

  /** Where no socket can be had (no route, no descriptor left) those that are there stay. */
  #renewOne({ upstream, sockets }: Pool): void {
    const index = this.#connect(upstream);
    if (index === null) return;
    sockets.push(index);
    if (sockets.length <= this.#options.socketsPerUpstream) return;
    const [oldest] = sockets.splice(0, 1);
    if (oldest !== undefined) this.#retire(oldest);
  }

  #connect(upstream: DnsEndpoint): number | null {
    const socket = newSocket(upstream.address);
    const index = this.#nextIndex++;
    let isRefused = false;
    // A server that is not there shows here as ECONNREFUSED; the query's deadline says the same later.
    socket.on('error', () => {
      isRefused = true;
    });
    socket.on('message', (message) => {
      // Connected: the kernel hands over what this server sent, and nothing else.
      this.#handler?.upstreamMessage(index, upstream, message);
      this.#endRound();
    });
    socket.connect(upstream.port, upstream.address);
    if (isRefused) {
      socket.close();
      return null;
    }
    this.#sockets.set(index, socket);
    return index;
  }

  #retire(index: number): void {
    const socket = this.#sockets.get(index);
    if (socket === undefined) return;
    this.#sockets.delete(index);
    const end = setTimeout(() => {
      this.#lingering.delete(socket);
      socket.close();
    }, this.#options.lingerMs).unref();
    this.#lingering.set(socket, end);
  }

  pickSocket(upstream: number): number | null {
    const sockets = this.#pools[upstream]?.sockets;
    if (sockets === undefined || sockets.length === 0) return null;
    return sockets[this.#random.below(sockets.length)] ?? null;
  }

  ask(socket: number, message: Uint8Array): boolean {
    const found = this.#sockets.get(socket);
    if (found === undefined) return false;
    this.#isAsked = true;
    found.send(Buffer.from(message));
    return true;
  }

  answer(listener: number, client: DnsEndpoint, message: Uint8Array): void {
    this.#answers.push({ listener, client, message: Buffer.from(message) });
  }

  flush(): void {
    for (const { listener, client, message } of this.#answers) {
      // What the network refuses is lost without a word, as UDP may.
      this.#sockets.get(listener)?.send(message, client.port, client.address);
    }
    this.#answers.length = 0;
  }

  wake(): void {
    this.#endRound();
  }

  /** Once for all messages of this turn of the event loop. */
  #endRound(): void {
    if (this.#round !== null || this.#isClosed) return;
    this.#round = setImmediate(() => {
      this.#round = null;
      this.#callRound();
    });
  }

  #callRound(): void {
    if (this.#handler === null) return;
    const nowMs = performance.now();
    const dueMs = nowMs + this.#handler.roundEnded(nowMs);
    // One that comes too early does no harm: it is asked again.
    if (dueMs >= this.#timerDueMs || this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.#callRound();
      },
      Math.min(Math.ceil(dueMs - nowMs), 1 << 30),
    );
  }

  run(handler: PacketHandler): Promise<void> {
    this.#handler = handler;
    this.#endRound();
    return new Promise((resolve) => {
      if (this.#isClosed) resolve();
      this.#ended = resolve;
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handler = null;
    if (this.#renewal !== null) clearInterval(this.#renewal);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#round !== null) clearImmediate(this.#round);
    for (const [socket, end] of this.#lingering) {
      clearTimeout(end);
      socket.close();
    }
    for (const socket of this.#sockets.values()) socket.close();
    this.#lingering.clear();
    this.#sockets.clear();
    this.#ended?.();
  }
}
