/**
 * A claim about a guest in parts: each one thing that is asked of it, what must never come of it, how that is
 * judged.
 */
import type { Missing as MissingOf } from '../chosen-parts.ts';
import type { Finding } from '../finding.ts';
import type { ClaimId } from './claim-ids.ts';
import type { Stage } from './stage.ts';

export interface Part {
  readonly claim: ClaimId;
  /** Stable. */
  readonly id: string;
  /** What is sent or run, in words. */
  readonly sends: string;
  /** What must never come of it, as a sentence's end. */
  readonly never: string;
  /** What a guest breaks that lets it. */
  readonly clause: string;
  /** Lines and commands as a dry run shows them; seeds and nonces are drawn when it runs. */
  readonly shows: readonly string[];
  run(stage: Stage): Promise<Finding>;
}

export type Missing = MissingOf<ClaimId>;

export const protocol = 'docs/check-guest.md, the protocol';
