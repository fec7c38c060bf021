/**
 * The pool: a subject that hangs is cut off and called hung, one that dies is called crashed, and no thread
 * is left.
 */
import { describe, expect, test } from 'vitest';
import type { Mutant } from '../mutants/mutant.ts';
import type { Job } from './plan-jobs.ts';
import { type JobResult, runJobs } from './worker-pool.ts';

const base = {
  id: 'planted-by-this-test',
  mistake: 'planted by this test',
  file: 'properties/subjects/reference/pin-address.ts',
  killedBy: 'F1.embedded',
} as const;
const decision = 'if (bytes === null) return';
const plant = (statement: string): Mutant => ({
  ...base,
  find: decision,
  replace: `${statement} ${decision}`,
});

function jobOf(mutant?: Mutant): Job {
  const subject = mutant === undefined ? 'reference' : `mutant:${mutant.id}`;
  const job = { claim: 'F1.embedded' as const, subject, seed: 1, runs: 200, withoutExamples: true };
  return mutant === undefined ? job : { ...job, mutant };
}

async function run(jobs: readonly Job[], signal = new AbortController().signal): Promise<JobResult[]> {
  const results: JobResult[] = [];
  const options = { workers: 2, caseTimeoutMs: 700, loadTimeoutMs: 20_000, signal };
  await runJobs(jobs, options, (_, result) => results.push(result));
  return results;
}

/** After a few cases, so that the positive control passes. */
const later = (effect: string) =>
  plant(`globalThis.asked = (globalThis.asked ?? 0) + 1; if (globalThis.asked > 20) ${effect}`);

describe('the pool', () => {
  test('always calls a subject that hangs hung, and goes on with the next job', async () => {
    const [first, second] = await run([jobOf(later('for (;;) {}')), jobOf()]).then((results) =>
      results.sort((a, b) => a.outcome.localeCompare(b.outcome)),
    );
    expect(first?.outcome).toBe('holds');
    expect(second).toMatchObject({ outcome: 'hung', reason: expect.stringMatching(/within 700 ms/) });
  });

  test('always calls a thread that ends itself crashed', async () => {
    expect(await run([jobOf(later('process.exit(3);'))])).toMatchObject([{ outcome: 'crashed' }]);
  });

  test('always calls a subject that throws crashed, with its case', async () => {
    const [result] = await run([jobOf(later("throw new Error('boom');"))]);
    expect(result).toMatchObject({ outcome: 'crashed', reason: expect.stringContaining('boom') });
  });

  test('always calls an answer outside the schema garbage', async () => {
    const [result] = await run([jobOf(later('return { verdict: 7, rule: 7 } as never;'))]);
    expect(result).toMatchObject({ outcome: 'garbage' });
  });

  test('refuses a mutant whose text is gone', async () => {
    const [result] = await run([jobOf({ ...base, find: 'text that is nowhere', replace: '' })]);
    expect(result).toMatchObject({ outcome: 'crashed', reason: expect.stringContaining('stale') });
  });

  test('never starts a job once it is interrupted', async () => {
    const interrupted = new AbortController();
    interrupted.abort();
    expect(await run([jobOf(), jobOf()], interrupted.signal)).toMatchObject([
      { outcome: 'not-run', judgedCases: 0 },
      { outcome: 'not-run', judgedCases: 0 },
    ]);
  });
});
