/**
 * Guests' TCP connections to one sandbox's resolver (RFC 7766): messages in, answers out, in any order.
 * Invariant: connections, messages under way, octets held and time are bounded for each client and in all; a
 * connection that is slow, silent or greedy is closed, and costs no other.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { bind, close, SyscallError, setsockopt, socket } from '../../base/syscalls.ts';
import { bindRefusal } from '../bind-refusal.ts';
import { AF_INET6, toSocketEndpoint } from '../packets/socket-address.ts';
import { framed, StreamFrames } from './stream-frames.ts';

export interface StreamLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  /** Messages of one connection that wait for an answer; more are left in the socket. */
  readonly maxPipelined: number;
  /** Nothing is under way, and nothing comes. */
  readonly idleMs: number;
  /** A message has begun, and is not whole. */
  readonly messageMs: number;
  readonly totalMs: number;
  /** One question: more is never needed, and it is held while it waits. */
  readonly maxQuestionOctets: number;
  /** Answers that the client does not take. */
  readonly maxUnsentOctets: number;
  readonly maxUpstreamConnections: number;
  readonly upstreamMs: number;
}

export const streamLimits: StreamLimits = {
  maxConnections: 1_024,
  maxConnectionsPerClient: 16,
  maxPipelined: 32,
  idleMs: 10_000,
  messageMs: 5_000,
  totalMs: 120_000,
  maxQuestionOctets: 4_096,
  maxUnsentOctets: 256 * 1_024,
  maxUpstreamConnections: 256,
  upstreamMs: 2_000,
};

/** What all listeners of a proxy share. */
export interface StreamPlaces {
  connections: number;
  readonly byClient: Map<string, number>;
  nextConnection: number;
  readonly open: Map<number, Connection>;
}

const SOCK_STREAM_NONBLOCK_CLOEXEC = 0x80801;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const backlog = 128;
const on = new Uint8Array(Uint32Array.of(1).buffer);

/** A bound socket, made within this call. @throws CodedError `address-taken`, `no-such-address`, `address-refused` */
export function bindStream(endpoint: DnsEndpoint): number {
  const own = toSocketEndpoint(endpoint);
  const fd = socket(own.family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  try {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on);
    if (own.family === AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, on);
    bind(fd, own.raw);
    return fd;
  } catch (cause) {
    close(fd);
    if (!(cause instanceof SyscallError) || cause.call !== 'bind') throw cause;
    throw bindRefusal('tcp', endpoint, cause.code, cause);
  }
}

type Message = (connection: number, client: DnsEndpoint, message: Uint8Array) => void;

/** One connection of a guest. */
export class Connection {
  readonly tap: string;
  readonly #socket: Socket;
  readonly #limits: StreamLimits;
  readonly #frames: StreamFrames;
  /** Whole messages that wait until others are answered. */
  readonly #backlog: Uint8Array[] = [];
  readonly #heard: (message: Uint8Array) => void;
  #pending = 0;
  #deadline: NodeJS.Timeout | null = null;
  readonly #end: NodeJS.Timeout;
  #isEnded = false;

  constructor(tap: string, socket: Socket, limits: StreamLimits, heard: (message: Uint8Array) => void) {
    this.tap = tap;
    this.#socket = socket;
    this.#limits = limits;
    this.#frames = new StreamFrames(limits.maxQuestionOctets);
    this.#heard = heard;
    this.#end = setTimeout(() => socket.destroy(), limits.totalMs).unref();
    socket.on('data', (octets) => this.#received(octets));
    // The other side has said everything: what is under way is still answered.
    socket.on('end', () => {
      this.#isEnded = true;
      this.#rest();
    });
    socket.on('close', () => {
      clearTimeout(this.#end);
      if (this.#deadline !== null) clearTimeout(this.#deadline);
    });
    this.#rest();
  }

  #received(octets: Uint8Array): void {
    const wasPartial = this.#frames.isPartial;
    const messages = this.#frames.push(octets);
    if (messages === null) {
      this.#socket.destroy();
      return;
    }
    this.#backlog.push(...messages);
    this.#serve();
    // A message that trickles in keeps its first deadline.
    if (messages.length > 0 || !wasPartial) this.#rest();
  }

  #serve(): void {
    while (this.#pending < this.#limits.maxPipelined) {
      const message = this.#backlog.shift();
      if (message === undefined) break;
      this.#pending += 1;
      this.#heard(message);
    }
    if (this.#backlog.length > 0) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Sets the deadline of what it waits for now. */
  #rest(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
    if (this.#isEnded && this.#pending === 0 && this.#backlog.length === 0) this.#socket.end();
    const isWaiting = this.#pending > 0 && !this.#frames.isPartial;
    if (isWaiting) return;
    const ms = this.#frames.isPartial ? this.#limits.messageMs : this.#limits.idleMs;
    this.#deadline = setTimeout(() => this.#socket.destroy(), ms).unref();
  }

  /** The answer to one message, or none. */
  answer(message: Uint8Array | null): void {
    this.#pending -= 1;
    if (this.#socket.destroyed) return;
    if (message !== null) this.#socket.write(framed(message));
    if (this.#socket.writableLength > this.#limits.maxUnsentOctets) this.#socket.destroy();
    else {
      this.#serve();
      if (this.#pending === 0) this.#rest();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Hears nothing more; closes when what is under way was answered. */
  finish(): void {
    this.#isEnded = true;
    this.#backlog.length = 0;
    this.#socket.removeAllListeners('data');
    this.#rest();
  }
}

/** Listens on a bound socket; its connections are counted in `places`. */
export async function listenStream(
  tap: string,
  fd: number,
  limits: StreamLimits,
  places: StreamPlaces,
  heard: Message,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const client = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const own = places.byClient.get(client.address) ?? 0;
    socket.on('error', () => socket.destroy());
    if (places.connections >= limits.maxConnections || own >= limits.maxConnectionsPerClient) {
      socket.destroy();
      return;
    }
    places.connections += 1;
    places.byClient.set(client.address, own + 1);
    const id = places.nextConnection++;
    const connection = new Connection(tap, socket, limits, (message) => heard(id, client, message));
    places.open.set(id, connection);
    socket.on('close', () => {
      places.open.delete(id);
      places.connections -= 1;
      const left = (places.byClient.get(client.address) ?? 1) - 1;
      if (left === 0) places.byClient.delete(client.address);
      else places.byClient.set(client.address, left);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}
