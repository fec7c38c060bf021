/** A mutant that no test kills, and the reason why none should. */

export interface Survivor {
  /** From the repository root. */
  readonly file: string;
  /** The line as it stands, and as the mutant has it. */
  readonly was: string;
  readonly becomes: string;
  /** Why the mutant is no mistake: what it does is the same, or what it does otherwise is nobody's requirement. */
  readonly why: string;
  /** In how many places of the file; 1 when absent. */
  readonly times?: number;
}

/** Survivors of one file below `reference/decisions`. */
export function survivorsOf(
  file: string,
  ...entries: readonly (readonly [was: string, becomes: string, why: string])[]
): Survivor[] {
  return entries.map(([was, becomes, why]) => ({ file: `reference/decisions/${file}`, was, becomes, why }));
}
