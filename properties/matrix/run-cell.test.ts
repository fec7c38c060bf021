/** A cell: every outcome is told from the others, and a counterexample is found again by its path. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Claim, defineClaim } from '../claims/claim.ts';
import { type ErasedBind, subjectFrom } from '../subjects/load-subject.ts';
import { runCell } from './run-cell.ts';

const config = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };

function subjectThat(answer: (address: string) => unknown) {
  const bind: ErasedBind = () =>
    ((input: { address: string }) => answer(input.address)) as (input: never) => unknown;
  return subjectFrom('toy', new Map([['pin-address', bind]]));
}

const pinned = { verdict: 'pin', rule: 'toy' };
const refused = { verdict: 'refuse', rule: 'toy' };

/** Never pins an address of ten or more characters. */
const claim: Claim<string> = defineClaim<string>({
  id: 'F1.toy',
  statement: 'a toy',
  source: 'this test',
  decisions: ['pin-address'],
  arbitrary: () => fc.string({ maxLength: 30 }),
  examples: () => ['short'],
  control: (subject) =>
    subject.decide('pin-address', config)({ address: 'ok' }).verdict === 'pin'
      ? null
      : 'refuses what is fine',
  judge: (subject, address) => {
    const { verdict, rule } = subject.decide('pin-address', config)({ address });
    if (verdict !== 'pin' || address.length < 10) return null;
    return { observed: 'pinned', observedRule: rule, required: 'refuse', requiredRule: 'ten characters' };
  },
  notation: (address) => JSON.stringify(address),
  observe: (subject, address) => subject.decide('pin-address', config)({ address }).verdict,
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
});
const options = { seed: 1, runs: 500 };

describe('a cell', () => {
  test('always counts the example and every run when the claim holds', async () => {
    const good = subjectThat((address) => (address.length < 10 ? pinned : refused));
    expect(await runCell(claim, good, options)).toEqual({ outcome: 'holds', judgedCases: 501 });
  });

  test('always shrinks a counterexample and finds it again by seed and path', async () => {
    const bad = subjectThat(() => pinned);
    const first = await runCell(claim, bad, options);
    if (first.outcome !== 'falsified') throw new Error(`expected falsified, got ${first.outcome}`);
    expect(first.counterexample.notation).toHaveLength(12);
    const again = await runCell(claim, bad, { ...options, path: first.counterexample.path });
    expect(again).toMatchObject({ outcome: 'falsified', judgedCases: 1 });
    if (again.outcome === 'falsified')
      expect(again.counterexample.notation).toBe(first.counterexample.notation);
  });

  test('never lets a positive control that fails count as holding', async () => {
    const result = await runCell(
      claim,
      subjectThat(() => refused),
      options,
    );
    expect(result).toMatchObject({
      outcome: 'not-run',
      reason: expect.stringContaining('refuses what is fine'),
    });
  });

  test('always tells a subject that throws from one that answers garbage', async () => {
    const throws = subjectThat((address) => {
      if (address === 'ok') return pinned;
      throw new Error('boom');
    });
    expect(await runCell(claim, throws, options)).toMatchObject({ outcome: 'crashed' });
    const garbage = subjectThat((address) =>
      address === 'ok' ? pinned : { verdict: 'perhaps', rule: 'toy' },
    );
    expect(await runCell(claim, garbage, options)).toMatchObject({ outcome: 'garbage' });
  });

  test('always names the example that failed, and judges it alone when its path is given', async () => {
    const strict = { ...claim, examples: () => ['fine', 'a long example'] };
    const bad = subjectThat(() => pinned);
    expect(await runCell(strict, bad, options)).toMatchObject({
      outcome: 'falsified',
      counterexample: { path: 'example:1' },
    });
    expect(await runCell(strict, bad, { ...options, path: 'example:1' })).toMatchObject({
      outcome: 'falsified',
      judgedCases: 1,
    });
  });

  test('always replays a case made of commands by its replayPath', async () => {
    const commands = defineClaim<Iterable<fc.Command<{ length: number }, object>>>({
      ...claim,
      arbitrary: ({ replayPath }) =>
        fc.commands(
          [
            fc.nat({ max: 9 }).map((step) => ({
              check: () => true,
              run: (model: { length: number }) => {
                model.length += step;
                if (model.length > 20) throw new Error('too long');
              },
              toString: () => `add(${step})`,
            })),
          ],
          { maxCommands: 20, ...(replayPath === undefined ? {} : { replayPath }) },
        ),
      examples: () => [],
      judge: (_, steps) => {
        try {
          fc.modelRun(() => ({ model: { length: 0 }, real: {} }), steps);
          return null;
        } catch (error) {
          return { observed: String(error), required: 'at most 20', requiredRule: 'toy' };
        }
      },
      notation: (steps) => String(steps).replace(/\/\*.*\*\//, ''),
      observe: () => 'nothing',
    });
    const good = subjectThat(() => pinned);
    const first = await runCell(commands, good, options);
    if (first.outcome !== 'falsified') throw new Error(`expected falsified, got ${first.outcome}`);
    expect(first.counterexample.path).toContain('@');
    const again = await runCell(commands, good, { ...options, path: first.counterexample.path });
    if (again.outcome !== 'falsified') throw new Error(`expected falsified, got ${again.outcome}`);
    expect(again.counterexample.notation).toBe(first.counterexample.notation);
  });
});
