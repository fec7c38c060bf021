/** Mutants by their text, their score, and survivors held to the list in both directions. */
import { describe, expect, test } from 'vitest';
import { type JudgedMutant, judgedMutant } from './judged-mutant.ts';
import { refuseFailed } from './mutation.ts';
import { compareSurvivors, percentKilled, scoreOf } from './mutation-score.ts';

const file = 'reference/decisions/a.ts';
const source = 'line one\n  if (a < b) {\n    go();\n  }\n';
const mutantOf = (status: string, changes: object = {}) =>
  judgedMutant(
    {
      fileName: file,
      mutatorName: 'EqualityOperator',
      replacement: 'a <= b',
      location: { start: { line: 2, column: 7 }, end: { line: 2, column: 12 } },
      status,
      ...changes,
    },
    file,
    source,
  );
const survivor = mutantOf('Survived');
const entry = { file, was: survivor.was, becomes: survivor.becomes, why: 'it does the same' };
const whole = new Set([file]);

describe('a mutant', () => {
  test('is always named by the line that it changes, and what that becomes', () => {
    expect(survivor).toEqual({
      file,
      line: 2,
      mutator: 'EqualityOperator',
      was: 'if (a < b) {',
      becomes: 'if (a <= b) {',
      outcome: 'survived',
    });
  });

  test('of several lines is always named by them as one', () => {
    const location = { start: { line: 2, column: 14 }, end: { line: 4, column: 4 } };
    expect(mutantOf('Killed', { location, replacement: '{}' })).toMatchObject({
      was: 'if (a < b) { go(); }',
      becomes: 'if (a < b) {}',
    });
  });

  test('never ends in a way that nobody knows', () => {
    expect(() => mutantOf('Pending')).toThrow('Pending');
  });
});

describe('the score', () => {
  test('is always that of killed ones, endless ones among them, and never of invalid ones', () => {
    const statuses = [
      'Killed',
      'Killed',
      'Timeout',
      'Survived',
      'NoCoverage',
      'RuntimeError',
      'CompileError',
    ];
    const score = scoreOf(statuses.map((status) => mutantOf(status)));
    expect(score).toEqual({ killed: 2, timeout: 1, survived: 1, uncovered: 1, invalid: 2 });
    expect(percentKilled(score)).toBe(60);
    expect(percentKilled(scoreOf([]))).toBe(100);
  });
});

describe('the list of survivors', () => {
  const compare = (mutants: JudgedMutant[], listed: (typeof entry & { times?: number })[], judged = whole) =>
    compareSurvivors(mutants, listed, judged);

  test('is never short of one that survived', () => {
    expect(compare([survivor], [])).toEqual({ unlisted: [survivor], gone: [] });
    expect(compare([survivor], [entry])).toEqual({ unlisted: [], gone: [] });
    expect(compare([mutantOf('NoCoverage')], []).unlisted).toHaveLength(1);
    expect(compare([survivor, survivor], [entry]).unlisted).toHaveLength(1);
    expect(compare([survivor, survivor], [{ ...entry, times: 2 }])).toEqual({ unlisted: [], gone: [] });
  });

  test('never holds one that is killed or gone', () => {
    expect(compare([mutantOf('Killed')], [entry]).gone).toEqual([entry]);
    expect(compare([], [entry]).gone).toEqual([entry]);
    const twice = { ...entry, times: 2 };
    expect(compare([survivor], [twice]).gone).toEqual([twice]);
  });

  test('never lacks reason because a listed one ran out of time', () => {
    expect(compare([mutantOf('Timeout')], [entry])).toEqual({ unlisted: [], gone: [] });
  });

  test('is never called stale by a run that did not judge its file whole', () => {
    expect(compare([], [entry], new Set()).gone).toEqual([]);
  });
});

describe('a run', () => {
  const report = {
    mutants: [],
    comparison: { unlisted: [], gone: [] },
    percentKilled: 100,
    passed: true,
    seconds: 1,
  };

  test('that Stryker broke off is never a result', () => {
    const broken = { ...report, cut: [{ part: 'a', left: 3, why: 'it fell over' }] };
    expect(() => refuseFailed(broken)).toThrow(
      expect.objectContaining({ code: 'mutation-failed', message: expect.stringContaining('it fell over') }),
    );
    refuseFailed({ ...report, cut: [{ part: 'a', left: 3, why: 'the time limit came first' }] });
  });
});
