/** TCP as the core of the proxy sees it: the port behind which `node-streams` stands, in the core's thread or not. */
import type { DnsEndpoint } from '../../contract/dns-port.ts';

export interface StreamHandler {
  /** A guest's message on a TCP connection; every one ends with one call of `answer`. */
  guestStream(tap: string, connection: number, client: DnsEndpoint, message: Uint8Array): void;
  /** What the server said, or null: it said nothing that can be used. */
  upstreamStream(token: number, reply: Uint8Array | null): void;
}

export interface StreamIo {
  /** One message to the server, on a connection of its own. Ends with `upstreamStream`. */
  ask(upstream: DnsEndpoint, message: Uint8Array, token: number): void;
  /** null: there is no answer to it. */
  answer(connection: number, message: Uint8Array | null): void;
}
