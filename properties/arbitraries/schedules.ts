/**
 * Interleavings as plain data: a number names one. A scheduler that stands in a case itself is cloned while
 * shrinking and then picks another order (fast-check 4.10), so that its counterexample would not be found
 * again.
 */
import * as fc from 'fast-check';

/** Shrinks to schedule 0. */
export const schedule = fc.nat({ max: 0x7fffffff });

/** A new fast-check scheduler that picks the order of that number, always the same. */
export function schedulerOf(number: number): fc.Scheduler {
  const [scheduler] = fc.sample(fc.scheduler(), { seed: number, numRuns: 1 });
  return scheduler as fc.Scheduler;
}
