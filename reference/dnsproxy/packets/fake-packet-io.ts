/**
 * A `PacketIo` without a kernel: what is sent is kept for whoever asks, what arrives is put in by hand, and time is
 * what it is told. Deterministic unless it is run by the clock.
 */
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { bindRefusal, endpointText } from '../bind-refusal.ts';
import type { PacketHandler, PacketIo } from './packet-io.ts';

export interface Asked {
  readonly socket: number;
  readonly upstream: DnsEndpoint;
  readonly message: Uint8Array;
}

export interface Answered {
  readonly listener: number;
  readonly from: DnsEndpoint;
  readonly client: DnsEndpoint;
  readonly message: Uint8Array;
}

const socketsPerUpstream = 16;
const ownAddresses = /^(127\.|10\.|::1$|fd)/;

export class FakePacketIo implements PacketIo {
  /** What went out and was not taken yet. */
  readonly asked: Asked[] = [];
  readonly answered: Answered[] = [];
  /** Addresses of others: nobody can listen there. */
  readonly taken = new Set<string>();
  /** Servers that the network refuses to reach, by text. */
  readonly unreachable = new Set<string>();
  readonly #listeners = new Map<number, DnsEndpoint>();
  readonly #queue: Answered[] = [];
  readonly #upstreamOf = new Map<number, DnsEndpoint>();
  #pools: number[][] = [];
  #nextIndex = 0;
  #pick = 0;
  #handler: PacketHandler | null = null;
  #ended: (() => void) | null = null;
  /** Told of everything that goes out, and of every `wake`. */
  onSent: () => void = () => undefined;
  isWoken = false;

  listen(endpoint: DnsEndpoint): number {
    const text = endpointText(endpoint);
    const own = [...this.#listeners.values()].map(endpointText);
    if (own.includes(text) || this.taken.has(text)) throw bindRefusal('udp', endpoint, 'EADDRINUSE', null);
    if (!ownAddresses.test(endpoint.address)) throw bindRefusal('udp', endpoint, 'EADDRNOTAVAIL', null);
    this.#listeners.set(this.#nextIndex, endpoint);
    return this.#nextIndex++;
  }

  unlisten(listener: number): void {
    this.#listeners.delete(listener);
  }

  setUpstreams(upstreams: readonly DnsEndpoint[]): void {
    this.#pools = upstreams.map((upstream) =>
      Array.from({ length: socketsPerUpstream }, () => {
        this.#upstreamOf.set(this.#nextIndex, upstream);
        return this.#nextIndex++;
      }),
    );
  }

  pickSocket(upstream: number): number | null {
    const pool = this.#pools[upstream];
    this.#pick += 1;
    return pool === undefined ? null : (pool[this.#pick % pool.length] ?? null);
  }

  ask(socket: number, message: Uint8Array): boolean {
    const upstream = this.#upstreamOf.get(socket);
    if (upstream === undefined || this.unreachable.has(endpointText(upstream))) return false;
    this.asked.push({ socket, upstream, message: Uint8Array.from(message) });
    this.onSent();
    return true;
  }

  answer(listener: number, client: DnsEndpoint, message: Uint8Array): void {
    const from = this.#listeners.get(listener);
    if (from === undefined) return;
    const to = { address: client.address, port: client.port };
    this.#queue.push({ listener, from, client: to, message: Uint8Array.from(message) });
  }

  flush(): void {
    this.answered.push(...this.#queue.splice(0));
    this.onSent();
  }

  wake(): void {
    this.isWoken = true;
    this.onSent();
  }

  run(handler: PacketHandler): Promise<void> {
    this.#handler = handler;
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  close(): void {
    this.#handler = null;
    this.#listeners.clear();
    this.#pools = [];
    this.#ended?.();
  }

  /** Puts a guest's message in, in a buffer that is spoilt after the call. False where nobody listens. */
  arrive(to: DnsEndpoint, client: DnsEndpoint, message: Uint8Array): boolean {
    const text = endpointText(to);
    const listener = [...this.#listeners].find(([, endpoint]) => endpointText(endpoint) === text)?.[0];
    if (listener === undefined) return false;
    this.#lend(message, (view) => this.#handler?.guestMessage(listener, client, view));
    return true;
  }

  /** Puts in what came to an upstream socket; from the server itself unless it is told otherwise. */
  reply(socket: number, message: Uint8Array, from = this.#upstreamOf.get(socket)): void {
    if (from === undefined) throw new RangeError(`there is no socket ${socket}`);
    this.#lend(message, (view) => this.#handler?.upstreamMessage(socket, from, view));
  }

  #lend(message: Uint8Array, call: (view: Uint8Array) => void): void {
    const view = Buffer.from(message);
    call(view);
    view.fill(0xee);
  }

  /** Ends a round; milliseconds until the next that the handler wants. */
  round(nowMs: number): number {
    this.isWoken = false;
    return this.#handler?.roundEnded(nowMs) ?? Number.POSITIVE_INFINITY;
  }
}
