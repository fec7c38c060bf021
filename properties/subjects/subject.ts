/** A subject: one implementation of the decisions, the thing that claims judge. */
import type { Bound, ConfigOf } from '../protocol/decision.ts';
import type { DecisionName, Decisions } from '../protocol/decisions.ts';

export interface Subject {
  /** `vulnerable`, `published`, `reference`, `mutant:<id>` or an external program's name. */
  readonly name: string;
  /**
   * Binds one decision to a configuration. Pass the same config object to get the cached binding.
   * Throws SubjectFailure('crashed' | 'garbage') from the bound function when the subject throws, or
   * answers something that the decision's output schema refuses.
   */
  decide<N extends DecisionName>(decision: N, config: ConfigOf<Decisions[N]>): Bound<Decisions[N]>;
}

/** The subjects that stand for the history of a finding; every claim declares a cell for each. */
export const builtInSubjects = ['vulnerable', 'published', 'reference'] as const;
export type BuiltInSubject = (typeof builtInSubjects)[number];
/** What stands at tier kernel: a mutant is the reference's process with one line changed. */
export type DatapathSubject = BuiltInSubject | `mutant:${string}`;
/** Who starts the guest: a husk pod, or forkd itself on the node. */
export type Engine = 'husk' | 'raw-forkd';
