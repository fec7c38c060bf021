/**
 * Every claim on every built-in subject, with a fixed seed and few runs: the matrix in small, inside the
 * test runner.
 */
import { describe, expect, test } from 'vitest';
import { listClaimIds, loadClaims } from '../matrix/catalogue.ts';
import { runCell } from '../matrix/run-cell.ts';
import { loadSubject } from '../subjects/load-subject.ts';
import { builtInSubjects } from '../subjects/subject.ts';

const seed = 20261124;
const runsWhereItHolds = 300;
const runsToFalsify = 20_000;
const claims = await loadClaims(await listClaimIds());

describe.each(claims)('$id', (claim) => {
  const cells = builtInSubjects
    .map((subject) => ({ subject, expected: claim.expected.decision[subject] }))
    .filter(({ expected }) => expected !== 'no-input');

  test.each(cells)('always ends as declared on $subject: $expected', async ({ subject, expected }) => {
    const runs = expected === 'falsified' ? runsToFalsify : runsWhereItHolds;
    const result = await runCell(claim, await loadSubject(subject, claim.decisions), { seed, runs });
    expect(result.outcome, JSON.stringify(result)).toBe(expected);
    expect(result.judgedCases).toBeGreaterThan(0);
  });
});
