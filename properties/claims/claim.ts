/**
 * A claim: a sentence with a source, a generator of attacks, a positive control, and a judge that never
 * imports what it judges.
 */
import type * as fc from 'fast-check';
import type { Violation } from '../oracles/violation.ts';
import type { DecisionName } from '../protocol/decisions.ts';
import type { BuiltInSubject, Subject } from '../subjects/subject.ts';

export const findings = ['F1', 'F2', 'F3', 'F4', 'F5', 'F6'] as const;
export type Finding = (typeof findings)[number];
export const tiers = ['decision', 'kernel', 'vm', 'apiserver', 'cluster'] as const;
export type Tier = (typeof tiers)[number];

/** What the catalogue says a subject does; `no-input` means that the subject has no such input to judge. */
export type ExpectedCell = 'holds' | 'falsified' | 'no-input';

export interface ArbitraryOptions {
  /** fast-check's replayPath for a case made of commands; undefined on a fresh run. */
  readonly replayPath?: string;
}

export type ClaimId = `${Finding}.${string}`;

export type Cells = Readonly<Record<BuiltInSubject, ExpectedCell>>;

/** What every claim says, at whatever tier it is judged. */
export interface ClaimStatement {
  /** Public, never reused: `F1.embedded` lives in `claims/F1/embedded.ts`. */
  readonly id: ClaimId;
  /** The sentence, as in docs/claims.md. */
  readonly statement: string;
  /** Where the requirement comes from: RFC section, registry, finding. */
  readonly source: string;
  /** What this claim does not see; printed in docs/claims.md. */
  readonly blindSpot?: string;
  /** Expected cells, per tier; the reference holds every one. */
  readonly expected: Partial<Record<Tier, Cells>>;
}

/** A claim that tier decision judges; attacks of other tiers declare theirs where they are. */
export interface Claim<Case = unknown> extends ClaimStatement {
  /** Decisions that a subject must implement to be judged. */
  readonly decisions: readonly DecisionName[];
  /** Generator of attacks, biased to boundaries; shrinks to what a reviewer can read. */
  arbitrary(options: ArbitraryOptions): fc.Arbitrary<Case>;
  /** Vectors judged before the generated cases. */
  examples?(): readonly Case[];
  /** Shows that the path is open (a deny-everything subject fails it): null, or what was closed. */
  control(subject: Subject): string | null;
  /** null when the claim holds for the case. Async claims (scheduler) declare `async: true`. */
  judge(subject: Subject, input: Case): Violation | null | Promise<Violation | null>;
  readonly async?: true;
  /** The case in the field's notation: an address, a dig-like question and answer, a sequence. */
  notation(input: Case): string;
  /** What the subject does with the case, with its rule: for `repro`, also where the claim holds. */
  observe(subject: Subject, input: Case): string | Promise<string>;
  readonly expected: ClaimStatement['expected'] & { readonly decision: Cells };
  /** Share of the default number of runs, 1 unless a case is a whole trace that costs far more. */
  readonly weight?: number;
}

/** Falsified by `vulnerable` and by `published`. */
export const residualCells = {
  vulnerable: 'falsified',
  published: 'falsified',
  reference: 'holds',
} as const satisfies Cells;

/** Falsified by `vulnerable` alone. */
export const fixedCells = {
  vulnerable: 'falsified',
  published: 'holds',
  reference: 'holds',
} as const satisfies Cells;

/** Keeps the Case type while the registry stores claims of any case. */
export function defineClaim<Case>(claim: Claim<Case>): Claim<Case> {
  return claim;
}
