/** What `pnpm prove` prints and how it ends, for every outcome of a proof and of its mutants. */
import { describe, expect, test } from 'vitest';
import type { Proof, ProofMutant } from '#properties/proofs/proof.ts';
import type { ProofOutcome, ProofReport } from '#properties/proofs/run/run-proofs.ts';
import { proofBlock, proofSummary } from '../report/proof-text.ts';
import { exitCodes } from './exit-codes.ts';
import { exitCode } from './prove-command.ts';

const mutant: ProofMutant = { id: 'wrong', mistake: 'it is wrong', file: 'f', find: 'a', replace: 'b' };
const proof: Proof = {
  name: 'pin-address',
  statement: 'Every address is decided.',
  bounds: ['all of them'],
  assumptions: ['BDDs are right'],
  mutants: [mutant],
  run: async () => ({ outcome: 'proved', counts: {} }),
};
const counts = { cases: 12_345 };
const outcomes: Readonly<Record<ProofOutcome['outcome'], ProofOutcome>> = {
  proved: { outcome: 'proved', counts },
  refuted: { outcome: 'refuted', counts, trace: ['address    198.19.0.0', 'oracle     refuse'] },
  crashed: { outcome: 'crashed', counts, reason: 'TypeError: no' },
  'not-run': { outcome: 'not-run', counts, reason: 'interrupted' },
};
const plain = (_style: string, text: string) => text;
const itself = (outcome: ProofOutcome['outcome']): ProofReport => ({
  proof,
  mutant: null,
  result: outcomes[outcome],
  seconds: 1.25,
});
const planted = (outcome: ProofOutcome['outcome']): ProofReport => ({ ...itself(outcome), mutant });

describe('a proof as text', () => {
  test('always says what was proved, within what, assuming what, and what was counted', () => {
    const text = proofBlock(itself('proved'), plain);
    expect(text).toMatch(/^pin-address {2}proved in 1\.3 s$/m);
    expect(text).toMatch(
      /statement +Every address is decided\.\n +within +all of them\n +assuming +BDDs are right/,
    );
    expect(text).toContain('counted    12,345 cases');
  });

  test('always shows the trace of a refutation, and the reason of what did not end', () => {
    expect(proofBlock(planted('refuted'), plain)).toContain('(as it must be)');
    expect(proofBlock(planted('refuted'), plain)).toContain('  address    198.19.0.0\n  oracle     refuse');
    expect(proofBlock(itself('refuted'), plain)).not.toContain('as it must be');
    expect(proofBlock(itself('crashed'), plain)).toContain('TypeError: no');
    expect(proofBlock(itself('not-run'), plain)).toContain('interrupted');
    expect(proofSummary([itself('proved'), planted('refuted'), planted('proved')], 2)).toBe(
      'Proved: 1 of 1, mutants refuted: 1 of 2, 2.0 s.',
    );
  });
});

describe('the exit code', () => {
  test.each([
    [[itself('proved')], exitCodes.asDeclared],
    [[itself('proved'), planted('refuted')], exitCodes.asDeclared],
    [[itself('refuted')], exitCodes.differs],
    [[itself('proved'), planted('proved')], exitCodes.differs],
    [[itself('not-run')], exitCodes.incomplete],
    [[itself('refuted'), planted('not-run')], exitCodes.differs],
    [[itself('proved'), planted('crashed')], exitCodes.internal],
  ])('never is that of success unless everything is as it must be (%#)', (reports, code) => {
    expect(exitCode(reports)).toBe(code);
  });
});
