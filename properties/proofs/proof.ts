/**
 * A proof: a sentence about a decision of the reference that holds for every case within stated bounds,
 * not for samples. A file of this folder, by its name: `pin-address.ts` exports the proof `pin-address`.
 * Proofs drive the reference and ask an oracle or a model, as subjects and claims do; oracles and models
 * never import them.
 */
import type { Mutant } from '../mutants/mutant.ts';

/** What was looked at: states, cases, BDD nodes, by name; printed as they are, in this order. */
export type Counts = Readonly<Record<string, number>>;

export interface ProofRun {
  /** `small`: a scope of at most some seconds, for the tests; it must still refute every mutant. */
  readonly scale: 'full' | 'small';
  /** Which of the proof's `parts`, from 0. */
  readonly part: number;
  /** Says how far it came; cheap, to be called a few times a second. */
  readonly progress: (counts: Counts) => void;
}

export type ProofResult =
  | { readonly outcome: 'proved'; readonly counts: Counts }
  | {
      readonly outcome: 'refuted';
      readonly counts: Counts;
      /** The counterexample, a line each, for a person: what was decided, by which rule, what is required. */
      readonly trace: readonly string[];
    };

/** A planted mistake; those of `properties/mutants/` fit, with the claim that kills them too. */
export type ProofMutant = Omit<Mutant, 'killedBy'>;

export interface Proof {
  /** The file's name. */
  readonly name: string;
  /** The sentence that is proved. */
  readonly statement: string;
  /** The scope: what ranges over what. */
  readonly bounds: readonly string[];
  /** What the proof takes for granted, a sentence each. */
  readonly assumptions: readonly string[];
  /** Each makes the proof fail; at least one. */
  readonly mutants: readonly ProofMutant[];
  /** Independent parts, each in a thread of its own; their counts are added. Default 1. */
  readonly parts?: number;
  /** Runs only when it is named: the option of `pnpm prove` that names it. */
  readonly onDemand?: `--${string}`;
  /**
   * Runs in a thread of its own, which may have a mutant planted; no need to be interruptible, a thread
   * is terminated. What it throws is a defect of the proof, not a refutation.
   */
  run(options: ProofRun): Promise<ProofResult>;
}

/** The mutants of these ids. Throws when one is not there. */
export function mutantsNamed(from: readonly Mutant[], ids: readonly string[]): ProofMutant[] {
  return ids.map((id) => {
    const mutant = from.find((one) => one.id === id);
    if (mutant === undefined) throw new Error(`there is no mutant ${id}`);
    return mutant;
  });
}
