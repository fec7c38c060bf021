/** What a run of `pnpm check dns` was told, parsed. */
import type { Labels } from '#properties/models/dns-message.ts';
import type { Policy } from '#properties/oracles/addresses/address-oracle.ts';
import type { ClaimId } from './claim-ids.ts';
import type { Endpoint } from './endpoint.ts';

/** A set of nf_tables that the server pins into. */
export interface NamedSet {
  readonly family: string;
  readonly table: string;
  readonly set: string;
}

export interface Settings {
  readonly server: Endpoint;
  /** Port 0: a free one. */
  readonly upstream: Endpoint;
  /** What the server forwards, and is asked under. */
  readonly domain: Labels;
  /** Entries of its allowlist: `name`, `*.name`; empty: it has none that anybody told. */
  readonly allow: readonly string[];
  readonly policy: Policy;
  readonly overTcp: boolean;
  readonly perSecond: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  readonly seed: number;
  /** Generated cases of each kind. */
  readonly runs: number;
  readonly claims: readonly ClaimId[];
  /** Ids of the parts that are asked; null: all of the claims. */
  readonly parts: readonly string[] | null;
  /** How long the server may take to be told its upstream. */
  readonly waitMs: number;
  readonly nftSets: readonly NamedSet[];
  /** Where the sets are; undefined: here. */
  readonly netns: string | undefined;
}
