/** A claim about a ruleset in parts, each a question about all packets of one origin. */
import type { Bdd, Bdds } from '#properties/oracles/bdd/bdd.ts';
import type { Outcome } from '#properties/oracles/nft/evaluate/pipeline.ts';
import type { Condition } from '#properties/oracles/nft/prove/prove.ts';
import type { Shape, Unknown } from '#properties/oracles/nft/prove/unknown-packet.ts';

export const claimIds = [
  'F4.input',
  'F4.source',
  'F4.leave',
  'F4.established',
  'F4.inbound',
  'F4.pod',
] as const;
export type ClaimId = (typeof claimIds)[number];

/** Tried one after the other; the first that some packet fulfils is kept. */
export type Preference = readonly Condition[];

export interface Question {
  readonly claim: ClaimId;
  readonly name: string;
  /** What must never be, as a sentence. */
  readonly never: string;
  /** Where the packets come from; null: this host. */
  readonly device: string | null;
  readonly shapes: (shape: Shape) => boolean;
  /** The packets in question. */
  readonly of: Condition;
  readonly against: (outcome: Outcome, unknown: Unknown, bdds: Bdds) => Bdd;
  /** Its frames carry a VLAN tag with identifier 0, which the kernel takes off: they end as the ones without. */
  readonly priorityTag?: true;
  /** What a counterexample should look like, where there is a choice. */
  readonly prefer: readonly Preference[];
}

/** Nobody said what the question needs. */
export interface Missing {
  readonly claim: ClaimId;
  readonly name: string;
  readonly never: string;
  readonly reason: string;
  readonly give: string;
}

export type Part = Question | Missing;

export function isMissing(part: Part): part is Missing {
  return 'give' in part;
}

export const ofIp = ({ family, tags }: Shape) => (family === 4 || family === 6) && tags === 0;
