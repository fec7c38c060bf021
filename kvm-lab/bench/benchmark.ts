/** What a benchmark is: ours first, peers on the same inputs after it. */
import type { ForkPart } from './fork/parts.ts';

export interface BenchmarkMeasurement {
  readonly name: string;
  readonly perSecond: number;
  /** With its time when it is not the second of the clock: answers/CPU-s. */
  readonly unit: string;
  readonly rounds: readonly number[];
  /** Ours again, on other inputs: those that follow are its peers. */
  readonly leads?: true;
}

export interface BenchmarkFlags {
  /** Of `dns`: a load of so many minutes instead, for a look at memory. */
  readonly memoryMinutes?: number;
  /** Of `fork`: these parts alone. */
  readonly forkParts?: readonly ForkPart[];
}

export interface Benchmark {
  /** What is measured, on what inputs, against whom. */
  readonly summary: string;
  run(
    flags?: BenchmarkFlags,
  ): Promise<{ measurements: readonly BenchmarkMeasurement[]; notes: readonly string[] }>;
}

export interface BenchmarkResult {
  readonly name: string;
  readonly measurements: readonly BenchmarkMeasurement[];
  /** Sentences under the table: allocation, what costs the time. */
  readonly notes: readonly string[];
}
