/**
 * The benchmarks, by name. The first measurement of each is ours; the others are peers on the same inputs.
 */
import { dnsMessages } from './dns-messages.ts';
import { pinAddressBenchmark } from './pin-address.ts';
import { propertiesBenchmark } from './properties.ts';

export interface BenchmarkMeasurement {
  readonly name: string;
  readonly perSecond: number;
  readonly unit: string;
  readonly rounds: readonly number[];
}

export interface Benchmark {
  /** What is measured, on what inputs, against whom. */
  readonly summary: string;
  run(): Promise<{ measurements: readonly BenchmarkMeasurement[]; notes: readonly string[] }>;
}

export interface BenchmarkResult {
  readonly name: string;
  readonly measurements: readonly BenchmarkMeasurement[];
  /** Sentences under the table: allocation, what costs the time. */
  readonly notes: readonly string[];
}

export const benchmarks = {
  'pin-address': pinAddressBenchmark,
  'dns-messages': dnsMessages,
  properties: propertiesBenchmark,
} as const satisfies Record<string, Benchmark>;
