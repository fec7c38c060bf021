/**
 * Measures two things side by side: alternating rounds on one core, medians, ratios. Absolute times on a
 * shared machine mislead; the ratio within one run does not.
 */
import { PerformanceObserver } from 'node:perf_hooks';

export interface Contender {
  readonly name: string;
  /**
   * Does the work `count` times and returns something that depends on all of it, so that nothing is
   * optimised away.
   */
  run(count: number): number;
}

export interface Measurement {
  readonly name: string;
  /** Median over the rounds. */
  readonly perSecond: number;
  readonly rounds: readonly number[];
}

const rounds = 5;
const roundMs = 400;
const warmUpMs = 300;

/** Runs every contender in turn, round after round. */
export function measure(contenders: readonly Contender[]): Measurement[] {
  const batch = contenders.map(calibrate);
  const rates: number[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const count = batch[index] ?? 1;
      const start = performance.now();
      keep(contender.run(count));
      rates[index]?.push((count * 1_000) / (performance.now() - start));
    }
  }
  return contenders.map(({ name }, index) => {
    const sorted = [...(rates[index] ?? [])].sort((a, b) => a - b);
    return { name, perSecond: sorted[Math.floor(sorted.length / 2)] ?? 0, rounds: sorted };
  });
}

/** How many operations fill a round, found while the JIT warms up. */
function calibrate(contender: Contender): number {
  let count = 16;
  const start = performance.now();
  for (;;) {
    const before = performance.now();
    keep(contender.run(count));
    const took = performance.now() - before;
    if (performance.now() - start > warmUpMs && took > 1)
      return Math.max(1, Math.ceil((count * roundMs) / took));
    if (took < roundMs / 4) count *= 2;
  }
}

let sink = 0;

function keep(value: number): void {
  sink = (sink + value) | 0;
}

/**
 * Garbage collections while `work` ran: none over millions of operations means that nothing was allocated.
 */
export async function collectionsDuring(work: () => number): Promise<number> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  keep(work());
  // Entries are delivered on a later turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 50));
  observer.disconnect();
  return collections;
}
