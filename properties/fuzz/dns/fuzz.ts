/**
 * Fuzzes the wire codec, structure first: whole messages are drawn by family, then bent; a failure is shrunk to a small
 * message and comes with the words that replay it. Bounded by runs or by time.
 */
import * as fc from 'fast-check';
import type { Codec } from './codec.ts';
import type { Finding, Invariant } from './finding.ts';
import { type FuzzCase, fuzzCase } from './fuzz-case.ts';
import { CaseJudge, type FuzzTotals } from './judge-case.ts';

export interface FuzzBounds {
  readonly seed: number;
  readonly runs: number;
  /** In milliseconds of `performance.now()`; no new batch begins after it. */
  readonly deadlineMs: number;
  /** Of a counterexample: only that one is judged, and shrunk on. */
  readonly path?: string;
}

export interface Counterexample {
  readonly findings: readonly Finding[];
  readonly family: string;
  readonly transport: string;
  /** The guest's message in hex. */
  readonly guest: string;
  readonly shrinks: number;
  readonly seed: number;
  readonly path: string;
}

export interface FuzzOutcome {
  readonly totals: FuzzTotals;
  readonly counterexample: Counterexample | null;
}

export interface FuzzHooks {
  /** Each message before it is judged. */
  readonly before?: (octets: Uint8Array) => void;
  readonly onBatch?: (totals: FuzzTotals) => void;
}

const batchRuns = 500;
const shrinkLimitMs = 20_000;

/** Seeds of later batches follow from the first, so that every batch can be replayed by itself. */
function seedOfBatch(seed: number, batch: number): number {
  return (seed + Math.imul(batch, 0x9e37_79b9)) | 0;
}

export function fuzz(codec: Codec, bounds: FuzzBounds, hooks: FuzzHooks = {}): FuzzOutcome {
  const judge = new CaseJudge(codec, hooks.before);
  const { runs, deadlineMs, path } = bounds;
  for (let done = 0, batch = 0; done < runs && (batch === 0 || performance.now() < deadlineMs); batch++) {
    const seed = seedOfBatch(bounds.seed, batch);
    const numRuns = path === undefined ? Math.min(batchRuns, runs - done) : 1;
    const counterexample = runBatch(judge, { seed, numRuns, ...(path === undefined ? {} : { path }) });
    if (counterexample !== null || path !== undefined) return { totals: judge.totals, counterexample };
    done += numRuns;
    hooks.onBatch?.(judge.totals);
  }
  return { totals: judge.totals, counterexample: null };
}

function runBatch(
  judge: CaseJudge,
  parameters: { readonly seed: number; readonly numRuns: number; readonly path?: string },
): Counterexample | null {
  const holds = fc.property(fuzzCase, (input) => judge.judge(input).length === 0);
  const details = fc.check(holds, {
    ...parameters,
    // Shrinking is bounded apart from the batch: what is found by then is small enough to read.
    interruptAfterTimeLimit: shrinkLimitMs,
    markInterruptAsFailure: false,
  });
  if (!details.failed || details.counterexample === null) return null;
  const [input] = details.counterexample as [FuzzCase];
  return {
    findings: judge.judge(input),
    family: input.family,
    transport: input.transport,
    guest: Buffer.from(input.guest).toString('hex'),
    shrinks: details.numShrinks,
    seed: parameters.seed,
    path: details.counterexamplePath ?? '0',
  };
}

/** The first case of the run that breaks this invariant, not shrunk: what a planted mistake is found by. */
export function seek(
  codec: Codec,
  wanted: Invariant,
  { seed, runs }: Pick<FuzzBounds, 'seed' | 'runs'>,
  before?: FuzzHooks['before'],
): Finding | null {
  const judge = new CaseJudge(codec, before);
  for (let done = 0, batch = 0; done < runs; batch++, done += batchRuns) {
    const numRuns = Math.min(batchRuns, runs - done);
    for (const input of fc.sample(fuzzCase, { seed: seedOfBatch(seed, batch), numRuns })) {
      const found = judge.judge(input).find(({ invariant }) => invariant === wanted);
      if (found !== undefined) return found;
    }
  }
  return null;
}
