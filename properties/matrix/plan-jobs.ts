/** From a selection to jobs: one job is a share of one cell, small enough that the cores finish together. */
import type { Claim, ClaimId, ExpectedCell } from '../claims/claim.ts';
import type { Mutant } from '../mutants/mutant.ts';
import type { BuiltInSubject } from '../subjects/subject.ts';

/** Judged cases on the reference, over all claims, that a run without --runs makes. */
export const defaultReferenceCases = 1_100_000;
/** Cells that hold though they are not the reference get a share of its runs. */
const otherHoldsShare = 0.2;
const jobsPerReferenceCell = 4;

export interface Job {
  readonly claim: ClaimId;
  /** `reference`, …, or `mutant:<id>`. */
  readonly subject: string;
  readonly seed: number;
  readonly runs: number;
  readonly path?: string;
  readonly withoutExamples: boolean;
  readonly mutant?: Mutant;
}

export interface Cell {
  readonly claim: ClaimId;
  readonly subject: string;
  readonly expected: ExpectedCell;
  readonly jobs: readonly Job[];
}

export interface PlanOptions {
  readonly seed: number;
  /** Runs per claim of weight 1; undefined: shares of defaultReferenceCases. */
  readonly runs?: number;
  readonly path?: string;
  /** Sum of the weights of the whole catalogue: a single claim gets the share that it has in a full run. */
  readonly totalWeight: number;
}

/** Shards of one cell use seeds far apart; shard 0 uses the seed as it is, so that a replay hits it. */
export function shardSeed(seed: number, shard: number): number {
  return (seed + Math.imul(shard, 0x9e3779b9)) | 0;
}

export function planCells(
  claims: readonly Claim[],
  builtIn: readonly BuiltInSubject[],
  mutants: readonly Mutant[],
  options: PlanOptions,
): Cell[] {
  const cells: Cell[] = [];
  for (const claim of claims) {
    const runs =
      options.runs ?? Math.ceil((defaultReferenceCases / options.totalWeight) * (claim.weight ?? 1));
    for (const subject of builtIn) cells.push(planBuiltIn(claim, subject, runs, options));
    for (const mutant of mutants) {
      if (mutant.killedBy !== claim.id || mutant.tier !== undefined) continue;
      const subject = `mutant:${mutant.id}`;
      const job = { ...baseJob(claim.id, subject, options), runs, mutant };
      cells.push({ claim: claim.id, subject, expected: 'falsified', jobs: [job] });
    }
  }
  return cells;
}

function baseJob(claim: ClaimId, subject: string, options: PlanOptions): Omit<Job, 'runs'> {
  const path = options.path === undefined ? {} : { path: options.path };
  return { claim, subject, seed: options.seed, withoutExamples: false, ...path };
}

function planBuiltIn(claim: Claim, subject: BuiltInSubject, runs: number, options: PlanOptions): Cell {
  const expected = claim.expected.decision[subject];
  const base = baseJob(claim.id, subject, options);
  const cell = { claim: claim.id, subject, expected };
  if (expected === 'no-input') return { ...cell, jobs: [] };
  if (options.path !== undefined || expected === 'falsified') return { ...cell, jobs: [{ ...base, runs }] };
  const total = subject === 'reference' ? runs : Math.ceil(runs * otherHoldsShare);
  const shards = subject === 'reference' ? Math.min(jobsPerReferenceCell, total) : 1;
  const jobs = Array.from({ length: shards }, (_, shard) => ({
    ...base,
    seed: shardSeed(options.seed, shard),
    runs: Math.ceil(total / shards),
    withoutExamples: shard > 0,
  }));
  return { ...cell, jobs };
}
