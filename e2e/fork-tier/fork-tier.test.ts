/** Tier vm: that claims and attacks say the same, what a run plans, and that what did not run never passes. */
import { describe, expect, test } from 'vitest';
import { listClaimIds, loadMutants, loadStatements } from '#properties/matrix/catalogue.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { merge, selectTiers, type TierChoice } from '../cli/run-tiers.ts';
import { forkAttackNamed, forkAttacks, forkShowpieces } from './catalogue.ts';
import { forkWithoutVerdict, planForks, ranOn, subjectsOf } from './fork-record.ts';
import { runForkTier } from './fork-tier.ts';
import { shareOf } from './shares.ts';
import { faultsOf, tooSlow, twinsIn, type ZooEnd } from './zoo-run.ts';

/** Those of the network run inside a guest by another command. */
const claims = (await loadStatements(await listClaimIds())).filter(
  ({ id, expected }) => id.startsWith('F6.') && expected.vm !== undefined,
);
const missing = { reason: 'no QEMU', remedy: 'install it' };
const signal = new AbortController().signal;
const options = { claims: [], subjects: [], seed: 7, signal, command: 'pnpm verify' };

describe('the catalogue', () => {
  test('has one attack that stands for each claim with cells at tier vm, and no others', () => {
    expect([...forkShowpieces.keys()].sort()).toEqual(claims.map(({ id }) => id).sort());
    for (const [claim, attack] of forkShowpieces) expect(forkAttackNamed(attack).claim).toBe(claim);
  });

  test('has ids that are unique, and a claim’s cell is falsified where an attack of it is', () => {
    const ids = forkAttacks.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, expected } of claims) {
      const mine = forkAttacks.filter(({ claim }) => claim === id);
      for (const subject of builtInSubjects) {
        const cells = mine.map((attack) => attack.expected[subject]);
        const worst = cells.includes('falsified')
          ? 'falsified'
          : cells.includes('holds')
            ? 'holds'
            : 'no-input';
        expect(`${id} ${subject} ${worst}`).toBe(`${id} ${subject} ${expected.vm?.[subject]}`);
      }
    }
  });

  test('never has a claim that nothing falsifies: a subject does, or a mutant of tier vm that is there', async () => {
    const mutants = await loadMutants();
    for (const { id } of claims) {
      const mine = forkAttacks.filter(({ claim }) => claim === id);
      const shown = mine.some(({ expected }) => Object.values(expected).includes('falsified'));
      const named = mine.flatMap(({ falsifiedBy = [] }) => falsifiedBy);
      const known = mutants
        .filter(({ tier, killedBy }) => tier === 'vm' && killedBy === id)
        .map((one) => one.id);
      expect(shown || named.length > 0, id).toBe(true);
      expect(named).toEqual(known);
    }
  });

  test('refuses an attack that is not there', () => {
    expect(() => forkAttackNamed('siblings.tow')).toThrow("there is no attack 'siblings.tow'");
  });
});

test('a record always names VMM, accelerator and the kernel of the guests; without a guest there is none', () => {
  const vmm = { version: '7.2', accelerator: 'tcg' } as const;
  expect(ranOn(vmm, '6.1.0-56-amd64')).toBe('QEMU 7.2, tcg, guests of Linux 6.1.0-56-amd64');
  expect(() => ranOn(vmm, '')).toThrow('no guest');
});

describe('a plan', () => {
  test('has the attack of each claim on each subject with an input, a mutant where all subjects are asked for', () => {
    const all = planForks(claims, builtInSubjects, 7);
    const wanted = [...forkShowpieces.values()].flatMap((id) => subjectsOf(forkAttackNamed(id)));
    expect(all).toHaveLength(wanted.length);
    expect(planForks(claims, ['published'], 7).every(({ subject }) => subject === 'published')).toBe(true);
  });

  test('is made only when it is asked for: a default run boots no guest, and says so', async () => {
    const of = (choice: TierChoice) => selectTiers(choice, options);
    expect((await of('ready')).vm).toEqual([]);
    expect((await of('vm')).vm).toHaveLength(claims.length);
    expect((await of('all')).vm).toHaveLength(claims.length);
    const selection = await of('ready');
    const { tiers } = merge(selection, options, { decision: null, kernel: null, vm: null, seconds: 1 });
    expect(tiers.find(({ tier }) => tier === 'vm')).toMatchObject({
      ran: false,
      remedy: expect.stringContaining('pnpm verify --tier vm'),
    });
  });
});

describe('a machine without guests', () => {
  test('never passes a cell: each is unsupported, with reason and remedy; a run that names the tier fails', async () => {
    const told = {
      onPlan: () => expect.unreachable('nothing can be run'),
      onRecord: () => expect.unreachable('nothing was run'),
    };
    const plan = { claims, subjects: builtInSubjects, seed: 7, signal, whole: false };
    const vm = await runForkTier(plan, told, () => missing);
    expect(vm).toMatchObject({ ran: false, ...missing });
    expect(vm.records).toHaveLength(planForks(claims, builtInSubjects, 7).length);
    expect(vm.records.every(({ outcome, asExpected }) => outcome === 'unsupported' && !asExpected)).toBe(
      true,
    );
    const selection = await selectTiers('vm', options);
    const { summary } = merge(selection, options, { decision: null, kernel: null, vm, seconds: 1 });
    expect(summary).toMatchObject({ passed: false, skipped: vm.records.length, asExpected: 0 });
  });

  test('a record without a verdict is never as expected', () => {
    const job = { attack: 'siblings.two', subject: 'reference', seed: 7 } as const;
    expect(forkWithoutVerdict(job, 'hung', 'no end')).toMatchObject({ asExpected: false, judgedCases: 0 });
  });
});

describe('shares', () => {
  test('count what siblings have in common, and never what one drew twice', () => {
    expect(
      shareOf([
        ['a', 'b'],
        ['a', 'c'],
      ]),
    ).toBe(0.5);
    expect(
      shareOf([
        ['a', 'a'],
        ['b', 'c'],
      ]),
    ).toBe(0);
    expect(shareOf([['a'], ['a'], ['a']])).toBe(1);
    expect(shareOf([[], []])).toBe(0);
  });
});

describe('ends of the zoo', () => {
  const guest = { name: 'mixing', does: 'does nothing', refused: 'always', seenBy: 'witness' } as const;
  const end: ZooEnd = {
    ...{ guest, generation: 7, isAdmitted: true, rule: '', isLeft: false, served: 0 },
    ...{ hasReseeded: false, sample: 'aa' },
  };
  const refused = { ...end, isAdmitted: false, hasReseeded: null, rule: 'x was refused: no proof' };

  test('a liar that is admitted is a fault, unless its kernel has reseeded by itself: then it is not judged', () => {
    expect(faultsOf([end])).toHaveLength(1);
    expect(faultsOf([{ ...end, hasReseeded: true }])).toEqual([]);
    expect(tooSlow([{ ...end, hasReseeded: true }])).toEqual(['mixing']);
    expect(faultsOf([refused])).toEqual([]);
  });

  test('so is an honest guest that is refused, one that is left, and one that was served before', () => {
    const honest = {
      ...refused,
      guest: { ...guest, name: 'honest', refused: 'never', seenBy: 'answer' },
    } as const;
    expect(faultsOf([honest])).toHaveLength(1);
    expect(faultsOf([{ ...refused, isLeft: true }])).toHaveLength(1);
    expect(faultsOf([{ ...refused, served: 1 }])).toHaveLength(1);
  });

  test('two admitted with one sample are a fault; a deadline that refuses who answers judges nobody', () => {
    const clone = { ...guest, name: 'same-seed', refused: 'clones', seenBy: 'answer' } as const;
    const twins = [1, 2].map((generation) => ({ ...end, guest: clone, generation }));
    expect(twinsIn(twins)).toHaveLength(1);
    expect(faultsOf(twins)).toHaveLength(1);
    expect(tooSlow([{ ...refused, rule: 'x was refused: deadline while notified' }])).toEqual(['mixing']);
  });
});
