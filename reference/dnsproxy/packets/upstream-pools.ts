/**
 * The sockets of all upstream servers, by index: filled, renewed, and closed when nobody is asked any more.
 * Invariant: at most half of the descriptors that the process may have are theirs, and where that is fewer than asked
 * for, the operator hears of it.
 */
import type { RandomPool } from '../../base/random-pool.ts';
import { descriptorLimit } from '../../base/syscalls.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { toSocketEndpoint } from './socket-address.ts';
import { boundTo } from './udp-socket.ts';
import { type SocketWatch, UpstreamSockets } from './upstream-sockets.ts';

export interface UpstreamPoolOptions {
  /** Sockets that are open to each upstream server; fewer where the limit of descriptors is low. */
  readonly socketsPerUpstream: number;
  /** One socket of each is replaced so often, while there is traffic. */
  readonly renewEveryMs: number;
  /** A socket that was replaced receives so long: past the deadline of every query. */
  readonly lingerMs: number;
  /** Hears what the operator should know: a sentence. */
  readonly say: (sentence: string) => void;
}

/** Servers that were replaced are closed before their time when there are more. */
const mostLeaving = 64;

export class UpstreamPools {
  readonly #options: UpstreamPoolOptions;
  readonly #watch: SocketWatch;
  #pools: UpstreamSockets[] = [];
  readonly #leaving: UpstreamSockets[] = [];
  #renewalMs = 0;

  constructor(options: UpstreamPoolOptions, watch: SocketWatch) {
    this.#options = options;
    this.#watch = watch;
  }

  /** Sockets to a server that stays are kept. */
  set(servers: readonly DnsEndpoint[], nowMs: number): void {
    const { lingerMs, socketsPerUpstream } = this.#options;
    const before = [...this.#pools];
    this.#pools = servers.map((server) => {
      const place = before.findIndex(
        ({ server: { address, port } }) => address === server.address && port === server.port,
      );
      const [kept] = place === -1 ? [] : before.splice(place, 1);
      return kept ?? new UpstreamSockets(toSocketEndpoint(server), this.#watch);
    });
    for (const pool of before) pool.retire(nowMs, lingerMs);
    this.#leaving.push(...before);
    const tooMany = Math.max(0, this.#leaving.length - mostLeaving);
    for (const pool of this.#leaving.splice(0, tooMany)) pool.close();
    // As many again linger after their renewal.
    const share = Math.floor(descriptorLimit() / 4 / Math.max(1, servers.length));
    const size = Math.max(1, Math.min(socketsPerUpstream, share));
    for (const pool of this.#pools) {
      pool.fill(size);
      if (pool.size < socketsPerUpstream) this.#sayFewer(pool);
    }
  }

  #sayFewer({ server: { address, port }, size }: UpstreamSockets): void {
    const { socketsPerUpstream, say } = this.#options;
    say(
      `only ${size} of ${socketsPerUpstream} sockets to ${address} port ${port}, so that answers are easier to forge: ` +
        `raise RLIMIT_NOFILE (${descriptorLimit()}), widen net.ipv4.ip_local_port_range, or give it a route`,
    );
  }

  pick(upstream: number, random: RandomPool): number | null {
    return this.#pools[upstream]?.pick(random) ?? null;
  }

  portsOf(upstream: number): number[] {
    return (this.#pools[upstream]?.sockets ?? []).map((fd) => boundTo(fd).port);
  }

  /** Replaces and closes what is due. When it wants to be called again. */
  renew(nowMs: number): number {
    const { renewEveryMs, lingerMs } = this.#options;
    if (nowMs >= this.#renewalMs) {
      this.#renewalMs = nowMs + renewEveryMs;
      for (const pool of this.#pools) pool.renew(nowMs, lingerMs);
      for (const pool of [...this.#pools, ...this.#leaving]) pool.closeOverdue(nowMs);
    }
    return this.#nextMs();
  }

  #nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const pool of this.#pools) {
      if (pool.wasAsked) return this.#renewalMs;
      nextMs = Math.min(nextMs, pool.dueMs);
    }
    for (const pool of this.#leaving) nextMs = Math.min(nextMs, pool.dueMs);
    return Math.max(nextMs, this.#renewalMs);
  }

  close(): void {
    for (const pool of this.#pools.splice(0)) pool.close();
    for (const pool of this.#leaving.splice(0)) pool.close();
  }
}
