/** The plan: every selected cell has its jobs, and a replay hits the seed that was printed. */
import { describe, expect, test } from 'vitest';
import { listClaimIds, loadClaims, loadMutants } from './catalogue.ts';
import { defaultReferenceCases, planCells, shardSeed } from './plan-jobs.ts';

const claims = await loadClaims(await listClaimIds());
const mutants = await loadMutants();
const totalWeight = claims.reduce((sum, { weight = 1 }) => sum + weight, 0);

describe('the plan', () => {
  test('always plans the promised number of cases on the reference', () => {
    const cells = planCells(claims, ['reference'], [], { seed: 1, totalWeight });
    const runs = cells.flatMap(({ jobs }) => jobs).reduce((sum, job) => sum + job.runs, 0);
    expect(runs).toBeGreaterThanOrEqual(defaultReferenceCases);
  });

  test('never plans fewer than 5,000 cases for a claim', () => {
    const cells = planCells(claims, ['reference'], [], { seed: 1, totalWeight });
    const few = cells.filter(({ jobs }) => jobs.reduce((sum, { runs }) => sum + runs, 0) < 5_000);
    expect(few.map(({ claim }) => claim)).toEqual([]);
  });

  test('always runs each mutant on the claim that must kill it, and on no other', () => {
    const cells = planCells(claims, [], mutants, { seed: 1, totalWeight });
    expect(cells).toHaveLength(mutants.filter(({ tier }) => tier === undefined).length);
    expect(cells.every(({ expected, jobs }) => expected === 'falsified' && jobs.length === 1)).toBe(true);
  });

  test('never repeats a seed among the shards of a cell, and keeps the first as it was given', () => {
    const seeds = Array.from({ length: 64 }, (_, shard) => shardSeed(7, shard));
    expect(seeds[0]).toBe(7);
    expect(new Set(seeds).size).toBe(64);
  });

  test('never plans a job where a subject has no input', () => {
    const cells = planCells(claims, ['vulnerable', 'published', 'reference'], [], { seed: 1, totalWeight });
    for (const { expected, jobs } of cells) expect(jobs.length === 0).toBe(expected === 'no-input');
  });
});
