/** The kernel tier of verify: what it plans, and that what did not run is said and never passes. */
import { describe, expect, test } from 'vitest';
import { listClaimIds, loadStatements } from '#properties/matrix/catalogue.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { merge, selectTiers, type TierChoice } from '../cli/run-tiers.ts';
import { runKernelTier } from './kernel-tier.ts';
import { kernelSeed, planAttacks } from './plan-attacks.ts';

const claims = (await loadStatements(await listClaimIds())).filter(({ expected }) => expected.kernel);
/** Cells that have an input: a subject without IPv6 option or deny ranges has none of theirs. */
const cells = claims.flatMap(({ expected }) =>
  builtInSubjects.filter((subject) => expected.kernel?.[subject] !== 'no-input'),
);
const missing = { reason: 'no tap', remedy: 'make one' };
const signal = new AbortController().signal;
const options = { claims: [], subjects: [], seed: -5, signal, command: 'pnpm verify' };

describe('a plan', () => {
  test('always has one attack for each claim on each subject, of a seed that makes ports', () => {
    const jobs = planAttacks(claims, builtInSubjects, -5);
    const mutants = jobs.filter(({ subject }) => subject.startsWith('mutant:'));
    expect(jobs.length - mutants.length).toBe(cells.length);
    const shown = claims.filter(({ expected }) => Object.values(expected.kernel ?? {}).includes('falsified'));
    expect(mutants).toHaveLength(claims.length - shown.length);
    expect(new Set(jobs.map(({ attack }) => attack)).size).toBe(claims.length);
    expect(jobs.every(({ seed }) => seed === kernelSeed(-5) && seed >= 0)).toBe(true);
  });

  test('never runs a tier that was not asked for, or for which nothing was selected', async () => {
    const of = (choice: TierChoice, ids: string[], subjects: string[] = []) =>
      selectTiers(choice, { ...options, claims: ids, subjects });
    expect(await of('decision', [])).toMatchObject({ decision: true, kernel: [], vm: [] });
    expect(await of('kernel', [])).toMatchObject({ decision: false, vm: [] });
    expect(await of('ready', [])).toMatchObject({ decision: true, vm: [] });
    expect(await of('vm', ['F6.live'])).toMatchObject({
      decision: false,
      kernel: [],
      vm: [{ id: 'F6.live' }],
    });
    expect(await of('ready', ['F5'])).toMatchObject({ decision: true, kernel: [] });
    expect(await of('ready', ['F4.load'])).toMatchObject({ decision: false, kernel: [{ id: 'F4.load' }] });
    expect(await of('ready', ['F4'], ['mutants'])).toMatchObject({ decision: true, kernel: [] });
  });
});

describe('a machine without the lab', () => {
  const run = () =>
    runKernelTier(
      { claims, subjects: builtInSubjects, seed: 7, signal, whole: false },
      {
        onPlan: () => expect.unreachable('nothing can be run'),
        onRecord: () => expect.unreachable('nothing was run'),
      },
      () => missing,
    );

  test('never passes a cell: each is unsupported, with reason and remedy', async () => {
    const { ran, records, reason, remedy } = await run();
    expect({ ran, reason, remedy }).toEqual({ ran: false, ...missing });
    expect(records).toHaveLength(planAttacks(claims, builtInSubjects, 7).length);
    expect(records.every(({ outcome, asExpected }) => outcome === 'unsupported' && !asExpected)).toBe(true);
    expect(records.every((record) => record.reason === 'no tap; make one')).toBe(true);
  });

  test('is no failure of a run that takes what is ready, and always one of a run that names the tier', async () => {
    const kernel = await run();
    for (const [choice, passed] of [
      ['ready', true],
      ['kernel', false],
      ['all', false],
    ] as const) {
      const selection = await selectTiers(choice, options);
      const { summary, tiers } = merge(selection, options, { decision: null, kernel, vm: null, seconds: 1 });
      expect(summary).toMatchObject({ passed, skipped: kernel.records.length, asExpected: 0, unexpected: 0 });
      expect(tiers.find(({ tier }) => tier === 'kernel')).toMatchObject({ ran: false, ...missing });
    }
  });

  test('never hides a cell that differs', async () => {
    const kernel = await run();
    const differs = kernel.records.map((record, index) => ({
      ...record,
      outcome: index === 0 ? ('falsified' as const) : record.outcome,
    }));
    const selection = await selectTiers('ready', options);
    const ran = { decision: null, kernel: { ...kernel, ran: true, records: differs }, vm: null, seconds: 1 };
    expect(merge(selection, options, ran).summary).toMatchObject({ passed: false, unexpected: 1 });
  });
});
