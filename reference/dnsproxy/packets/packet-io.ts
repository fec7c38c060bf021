/**
 * Datagrams in and out of the proxy, in rounds: the port behind which `epoll-io` and `dgram-io` stand.
 * Invariant: a received message is a view that is valid within the call that hands it over, no longer; what is
 * sent is copied within the call. No call waits, and none throws for what a peer sends or a network refuses.
 */
import type { DnsEndpoint } from '../../contract/dns-port.ts';

export interface PacketHandler {
  /** A guest's message, on the listener that `listen` gave. */
  guestMessage(listener: number, client: DnsEndpoint, message: Uint8Array): void;
  /** Something arrived on an upstream socket, from whomever. */
  upstreamMessage(socket: number, from: DnsEndpoint, message: Uint8Array): void;
  /**
   * All that was ready has been handed over (or `wake` was called, or the time came): pins of the round are made,
   * then answers sent. Milliseconds until it wants to be called at the latest; Infinity when only for a message.
   */
  roundEnded(nowMs: number): number;
}

export interface PacketIo {
  /** Binds one UDP socket. @throws CodedError `address-taken`, `no-such-address` */
  listen(endpoint: DnsEndpoint): number;
  /** Closes a listener. */
  unlisten(listener: number): void;
  /**
   * The servers that `pickSocket` knows by index. Each has sockets of its own, connected, on random ports; they are
   * renewed in turn, and one that is renewed still receives until every answer is overdue.
   */
  setUpstreams(upstreams: readonly DnsEndpoint[]): void;
  /** A socket chosen at random (crypto), or null when none can be had. */
  pickSocket(upstream: number): number | null;
  /** Whether the kernel took it: a server that is not there says so here, or never. */
  ask(socket: number, message: Uint8Array): boolean;
  /** Queued; sent by `flush`. A full socket drops it: UDP's right. */
  answer(listener: number, client: DnsEndpoint, message: Uint8Array): void;
  flush(): void;
  /** From any thread's own way to it: ends the wait, so that `roundEnded` is called soon. */
  wake(): void;
  /** Until `close`. */
  run(handler: PacketHandler): Promise<void>;
  close(): void;
}
