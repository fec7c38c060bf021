/** A claim about a resolver in parts: each one attack, what must never come of it, and how that is found out. */
import type { Missing as MissingOf } from '../chosen-parts.ts';
import type { Finding } from '../finding.ts';
import type { ClaimId } from './claim-ids.ts';
import type { Names } from './names.ts';
import type { Stage } from './stage.ts';

/** Denied by silence; which a lost message looks like, so it is asked again before it counts. */
export const silent: Finding = { outcome: 'holds', observed: 'no answer', absent: true };

/** Octets of one attack as hex, under these names: what a dry run shows and the corpus publishes. */
export interface Messages {
  readonly guest: readonly string[];
  /** What the upstream says to the last of them, asked with ID 0x1234. */
  readonly upstream: readonly string[];
}

export interface Part {
  readonly claim: ClaimId;
  /** Of the published corpus; stable. Generated ones begin with `generated/`. */
  readonly id: string;
  /** What is sent, in words. */
  readonly sends: string;
  /** What must never come of it, as a sentence's end. */
  readonly never: string;
  /** The clause that a server breaks. */
  readonly clause: string;
  /** Not beside others: it counts what is on its way. */
  readonly alone?: true;
  messages(names: Names): Messages;
  run(stage: Stage): Promise<Finding>;
}

export type Missing = MissingOf<ClaimId>;
