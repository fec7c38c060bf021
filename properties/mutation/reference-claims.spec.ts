/**
 * The claims on the reference alone, with a fixed seed and few runs: what judges a mutant of Stryker's. A whole
 * judgement must stay cheap, since it is made for every mutant that the unit tests let pass.
 */
import * as fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { listClaimIds, loadClaims } from '../matrix/catalogue.ts';
import { runCell } from '../matrix/run-cell.ts';
import { loadSubject } from '../subjects/load-subject.ts';

const seed = 20261124;
const runsOfWeightOne = 150;
// Nobody reads the counterexample of one mutant among thousands: it is not shrunk.
fc.configureGlobal({ endOnFailure: true });
const claims = await loadClaims(inject('claims') ?? (await listClaimIds()));

describe.each(claims)('$id', (claim) => {
  test('always holds on the reference', async () => {
    const runs = Math.ceil(runsOfWeightOne * (claim.weight ?? 1));
    const result = await runCell(claim, await loadSubject('reference', claim.decisions), { seed, runs });
    expect(result.outcome, JSON.stringify(result)).toBe('holds');
  });
});
