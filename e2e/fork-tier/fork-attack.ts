/**
 * An attack on forks of real VMs: its claim, what each subject does, and a run that tells what happened although it
 * must not.
 * Invariant: it says itself whether the path that it takes was open; a closed one is no verdict.
 */
import type { Cells, ClaimId } from '#properties/claims/claim.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import type { ForkLab } from './fork-lab.ts';

export interface ForkStage {
  readonly lab: ForkLab;
  readonly subject: BuiltInSubject;
  /** The reference with a line changed: the attack may be as short as shows that. */
  readonly isMutant: boolean;
}

/** What siblings drew, for whoever wants to see it side by side. */
export interface Exhibit {
  readonly reader: string;
  /** A fork each. */
  readonly drawn: readonly string[];
  /** Of all that was drawn: what a sibling drew too. */
  readonly share: number;
}

export interface Seen {
  /** null: the path was open; else what was closed. */
  readonly closed: string | null;
  /** What happened although it must not; empty: the claim holds. */
  readonly effects: readonly string[];
  readonly steps: readonly string[];
  readonly judgedCases: number;
  readonly exhibits: readonly Exhibit[];
  /** Beside the record: name → text. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ForkAttack {
  /** `family.name`, unique. */
  readonly id: string;
  readonly claim: ClaimId;
  readonly statement: string;
  readonly source: string;
  /** What shows that the path is open. */
  readonly control: string;
  readonly expected: Cells;
  /** Mutants of the reference that it must falsify, where no subject of the history does. */
  readonly falsifiedBy?: readonly string[];
  /** Guests that it boots: attacks with the same one come after each other. */
  readonly template: string;
  /** In the long form alone. */
  readonly isLong?: true;
  run(stage: ForkStage): Promise<Seen>;
}
