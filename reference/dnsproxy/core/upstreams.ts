/**
 * The upstream servers in their order, and which of them is well.
 * Invariant: a server that is down is asked by one question each interval and by no other while another is well;
 * one that replies is well at once.
 */
import type { DnsEndpoint } from '../../contract/dns-port.ts';

export interface DnsUpstream extends DnsEndpoint {
  /** 0x20; off only for a server that is known not to keep the case of a question. */
  readonly randomCase?: boolean;
}

export interface UpstreamServer {
  readonly index: number;
  readonly endpoint: DnsEndpoint;
  readonly randomCase: boolean;
  timeoutsInARow: number;
  /** When it may be tried again; null: it is well. */
  probeMs: number | null;
}

export interface UpstreamLimits {
  readonly timeoutsUntilDown: number;
  readonly probeEveryMs: number;
}

export class Upstreams {
  readonly #limits: UpstreamLimits;
  #servers: UpstreamServer[] = [];

  constructor(limits: UpstreamLimits) {
    this.#limits = limits;
  }

  get servers(): readonly UpstreamServer[] {
    return this.#servers;
  }

  set(upstreams: readonly DnsUpstream[]): void {
    this.#servers = upstreams.map(({ address, port, randomCase = true }, index) => ({
      index,
      endpoint: { address, port },
      randomCase,
      timeoutsInARow: 0,
      probeMs: null,
    }));
  }

  /**
   * Whom to ask, beginning with the first; after `last`, with the one after it.
   * Null when there is no server at all.
   */
  choose(nowMs: number, last: UpstreamServer | null): UpstreamServer | null {
    const count = this.#servers.length;
    const first = last === null ? 0 : last.index + 1;
    let oldest: UpstreamServer | null = null;
    for (let step = 0; step < count; step++) {
      const server = this.#servers[(first + step) % count] as UpstreamServer;
      if (server.probeMs === null) return server;
      if (server.probeMs <= nowMs) {
        server.probeMs = nowMs + this.#limits.probeEveryMs;
        return server;
      }
      if (oldest === null || server.probeMs < (oldest.probeMs ?? 0)) oldest = server;
    }
    // All are down: better the one whose turn is next than nobody.
    return oldest;
  }

  replied(server: UpstreamServer): void {
    server.timeoutsInARow = 0;
    server.probeMs = null;
  }

  /** True when that made it count as down. */
  failed(server: UpstreamServer, nowMs: number): boolean {
    server.timeoutsInARow += 1;
    if (server.timeoutsInARow < this.#limits.timeoutsUntilDown) return false;
    const wasWell = server.probeMs === null;
    if (wasWell) server.probeMs = nowMs + this.#limits.probeEveryMs;
    return wasWell;
  }
}
