/**
 * The mutants of `reference/decisions` that no test kills, each with the reason why none should.
 * Invariant: the list is exact. `pnpm test:mutation` fails for a survivor that is not here, and for an entry whose
 * mutant is killed or gone.
 */

export interface Survivor {
  readonly file: string;
  /** The line as it stands, and as the mutant has it. */
  readonly was: string;
  readonly becomes: string;
  /** Why the mutant is no mistake: what it does is the same, or what it does better is nobody's requirement. */
  readonly why: string;
  /** In how many places of the file; 1 when absent. */
  readonly times?: number;
}

export const survivors: readonly Survivor[] = [];
