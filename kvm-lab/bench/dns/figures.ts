/** What the parts of `pnpm bench dns` have in common: medians, and how figures are written. */
import type { BenchmarkMeasurement } from '../benchmark.ts';

export interface Part {
  readonly measurements: readonly BenchmarkMeasurement[];
  readonly notes: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export const micros = (ms: number) => `${Math.round(ms * 1_000)} µs`;
export const mebibytes = (octets: number) => `${(octets / (1 << 20)).toFixed(0)} MiB`;
export const digits = (value: number) => Math.round(value).toLocaleString('en-US');
