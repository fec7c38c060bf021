/** What the clients of `pnpm bench dns` are told, and what they say. */
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';

export interface LoadOrder {
  readonly target: DnsEndpoint;
  /** The forwarder, whose processor time is counted. */
  readonly pid: number;
  /** Sockets, each on a port of its own. */
  readonly clients: number;
  /** Of all clients together, when as much is asked as is answered. */
  readonly outstanding: number;
  /** At this rate, however much is answered; null: as `outstanding` says. */
  readonly perSecond: number | null;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** It ends sooner when so many are answered. */
  readonly mostAnswered: number;
  /** Every question differs from all before. */
  readonly firstName: number;
  /** A malformed message before each question. */
  readonly malformedToo: boolean;
}

export interface LoadResult {
  readonly answered: number;
  /** Answered, but not with an address. */
  readonly failed: number;
  readonly lost: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  /** Zero unless asked at a rate. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly nextName: number;
  /** Of the forwarder, each 100 ms. */
  readonly residentOctets: readonly number[];
}
