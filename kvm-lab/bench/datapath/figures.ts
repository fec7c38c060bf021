/** Figures of the datapath's benchmark: medians and spreads of milliseconds, as rates and as sentences. */
import type { BenchmarkMeasurement } from '../benchmark.ts';

export interface Part {
  readonly measurements: readonly BenchmarkMeasurement[];
  readonly notes: readonly string[];
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export const median = (values: readonly number[]) => quantile(values, 0.5);

/** `each` is how many were done in the time of one value. */
export function rate(
  name: string,
  unit: string,
  timesMs: readonly number[],
  { each = 1, leads = false } = {},
): BenchmarkMeasurement {
  const rounds = timesMs.map((time) => (each * 1_000) / time).sort((a, b) => a - b);
  const measurement = { name, unit, perSecond: (each * 1_000) / median(timesMs), rounds };
  return leads ? { ...measurement, leads: true } : measurement;
}

export function timed<T>(act: () => T): { took: number; result: T } {
  const start = performance.now();
  const result = act();
  return { took: performance.now() - start, result };
}

export const ms = (value: number) => `${value.toFixed(value < 1 ? 3 : 2)} ms`;
