/** The gate asks the store last, and believes nothing but an insert. */
import { describe, expect, test } from 'vitest';
import { type GateCase, judgeReseed } from './reseed-gate.ts';
import { proofOf } from './reseed-proof.ts';

const config = { deadlineMs: 1000, requireWitness: false };
const request = { snapshot: 'sha256:template', generation: 7, nonce: 'aa'.repeat(32) };
const sample = '3c'.repeat(32);
const fields = {
  ok: true,
  reseeded_rng: true,
  sample,
  proof: proofOf(sample, request.generation, request.nonce),
};
const honest: GateCase = {
  request,
  response: JSON.stringify(fields),
  elapsedMs: 5,
  witness: null,
  insertion: null,
};
const witness = { changed: true, digest: '77'.repeat(32) };

describe('the gate', () => {
  test('always has the sample and the digest of the witness inserted together', () => {
    expect(judgeReseed(config, { ...honest, witness })).toMatchObject({
      verdict: 'insert',
      insert: { snapshot: request.snapshot, keys: [`sample:${sample}`, `witness:${witness.digest}`] },
    });
  });

  test('admits only what the store has inserted', () => {
    const verdictFor = (insertion: GateCase['insertion']) =>
      judgeReseed(config, { ...honest, insertion }).verdict;
    expect(verdictFor('inserted')).toBe('admit');
    expect((['present', 'full', 'failed'] as const).map(verdictFor)).toEqual(['refuse', 'refuse', 'refuse']);
  });

  test('refuses what it would refuse, also when the store has inserted', () => {
    expect(judgeReseed(config, { ...honest, elapsedMs: 1001, insertion: 'inserted' }).verdict).toBe('refuse');
    expect(judgeReseed(config, { ...honest, elapsedMs: Number.NaN, insertion: 'inserted' }).verdict).toBe(
      'refuse',
    );
  });

  test('refuses a request of its own host that is no request', () => {
    const zero = { ...request, generation: 0 };
    expect(judgeReseed(config, { ...honest, request: zero }).verdict).toBe('refuse');
    expect(judgeReseed(config, { ...honest, request: { ...request, nonce: 'aa' } }).verdict).toBe('refuse');
  });

  test('never names sample, proof or nonce in a rule', () => {
    const lines = [honest.response, '{}', '{"ok":true}', JSON.stringify({ ...fields, proof: sample })];
    for (const response of lines) {
      const { rule } = judgeReseed(config, { ...honest, response });
      expect(rule).not.toMatch(/[0-9a-f]{16}/);
    }
  });
});
