/**
 * TCP by `node:net`: guests' connections, and questions to upstream servers that did not fit into UDP.
 * Invariant: every question upstream ends with one call, within its deadline; what is open is bounded.
 */
import { connect, type Server } from 'node:net';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { framed, StreamFrames } from './stream-frames.ts';
import type { StreamHandler, StreamIo } from './stream-io.ts';
import {
  bindStream,
  listenStream,
  type StreamLimits,
  type StreamPlaces,
  streamLimits,
} from './stream-listener.ts';

export class NodeStreams implements StreamIo {
  readonly #limits: StreamLimits;
  readonly #places: StreamPlaces = {
    connections: 0,
    byClient: new Map(),
    nextConnection: 1,
    open: new Map(),
  };
  readonly #servers = new Map<string, Server[]>();
  #asking = 0;
  #isClosed = false;
  /** Who hears; set before anything listens. */
  handler: StreamHandler | null = null;

  constructor(limits: Partial<StreamLimits> = {}) {
    this.#limits = { ...streamLimits, ...limits };
  }

  get connections(): number {
    return this.#places.connections;
  }

  /**
   * All of them, or none.
   * @param within goes where the sockets are to be, for as long as they are made
   * @throws CodedError `address-taken`, `no-such-address`, `address-refused`
   */
  async listen(
    tap: string,
    endpoints: readonly DnsEndpoint[],
    within: <T>(act: () => T) => T = (act) => act(),
  ): Promise<void> {
    const servers: Server[] = [];
    this.#servers.set(tap, servers);
    try {
      for (const endpoint of endpoints) {
        const fd = within(() => bindStream(endpoint));
        const server = await listenStream(
          tap,
          fd,
          this.#limits,
          this.#places,
          (connection, client, message) => this.handler?.guestStream(tap, connection, client, message),
        );
        servers.push(server);
      }
    } catch (error) {
      this.unlisten(tap);
      throw error;
    }
  }

  /** With the connections that are open there. */
  unlisten(tap: string): void {
    this.#refuseNew(tap);
    for (const connection of this.#places.open.values()) if (connection.tap === tap) connection.close();
  }

  #refuseNew(tap: string): void {
    for (const server of this.#servers.get(tap) ?? []) server.close();
    this.#servers.delete(tap);
  }

  answer(connection: number, message: Uint8Array | null): void {
    this.#places.open.get(connection)?.answer(message);
  }

  ask(upstream: DnsEndpoint, message: Uint8Array, token: number): void {
    if (this.#asking >= this.#limits.maxUpstreamConnections || this.#isClosed) {
      setImmediate(() => this.handler?.upstreamStream(token, null));
      return;
    }
    this.#asking += 1;
    const frames = new StreamFrames();
    const socket = connect({ host: upstream.address, port: upstream.port, noDelay: true });
    let isOver = false;
    const end = (reply: Uint8Array | null) => {
      if (isOver) return;
      isOver = true;
      this.#asking -= 1;
      clearTimeout(deadline);
      socket.destroy();
      this.handler?.upstreamStream(token, reply);
    };
    const deadline = setTimeout(() => end(null), this.#limits.upstreamMs);
    socket.on('error', () => end(null));
    socket.on('close', () => end(null));
    socket.on('data', (octets) => {
      const [reply] = frames.push(octets) ?? [];
      if (reply !== undefined) end(reply);
    });
    socket.write(framed(message));
  }

  /** Nothing new; connections end with what they were answered. */
  drain(): void {
    for (const tap of [...this.#servers.keys()]) this.#refuseNew(tap);
    for (const connection of this.#places.open.values()) connection.finish();
  }

  close(): void {
    this.#isClosed = true;
    for (const tap of [...this.#servers.keys()]) this.unlisten(tap);
    for (const connection of this.#places.open.values()) connection.close();
  }
}
