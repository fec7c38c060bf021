/** What a run of mutants says: scores, and how the survivors compare with those that are listed. */
import { type JudgedMutant, keyOf, lives } from './judged-mutant.ts';
import type { Survivor } from './survivors/survivor.ts';

export interface Score {
  readonly killed: number;
  readonly timeout: number;
  readonly survived: number;
  readonly uncovered: number;
  /** Broke the module while it was loaded: neither killed nor alive. */
  readonly invalid: number;
}

export function scoreOf(mutants: readonly JudgedMutant[]): Score {
  const score = { killed: 0, timeout: 0, survived: 0, uncovered: 0, invalid: 0 };
  for (const { outcome } of mutants) score[outcome] += 1;
  return score;
}

/** Killed of all that could be, in per cent; 100 for none. A mutant that never ends is killed. */
export function percentKilled({ killed, timeout, survived, uncovered }: Score): number {
  const all = killed + timeout + survived + uncovered;
  return all === 0 ? 100 : ((killed + timeout) / all) * 100;
}

export interface Comparison {
  /** Survivors that stand in no list, or in more places than the list says. */
  readonly unlisted: readonly JudgedMutant[];
  /**
   * Entries whose mutants are killed or gone, in part or all. One that ran out of time is neither: on a busy machine
   * every test is slow.
   */
  readonly gone: readonly Survivor[];
}

/**
 * @param whole files whose every mutant was judged: only there can an entry be gone
 */
export function compareSurvivors(
  mutants: readonly JudgedMutant[],
  listed: readonly Survivor[],
  whole: ReadonlySet<string>,
): Comparison {
  const living = Map.groupBy(mutants.filter(lives), keyOf);
  const allowed = new Map(listed.map((entry) => [keyOf(entry), entry.times ?? 1]));
  const unlisted = [...living].flatMap(([key, found]) => found.slice(allowed.get(key) ?? 0));
  const notKilled = Map.groupBy(
    mutants.filter((mutant) => lives(mutant) || mutant.outcome === 'timeout'),
    keyOf,
  );
  const gone = listed.filter(
    (entry) => whole.has(entry.file) && (notKilled.get(keyOf(entry))?.length ?? 0) < (entry.times ?? 1),
  );
  return { unlisted, gone };
}
