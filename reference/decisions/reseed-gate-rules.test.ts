/** The gate's rules by name: every refusal says why, and the store's word is heard exactly. */
import { describe, expect, test } from 'vitest';
import { type GateCase, type GateConfig, judgeReseed } from './reseed-gate.ts';
import { proofOf } from './reseed-proof.ts';

const config: GateConfig = { deadlineMs: 1000, requireWitness: false };
const request = { snapshot: 'sha256:template', generation: 7, nonce: 'aa'.repeat(32) };
const sample = '3c'.repeat(32);
const proof = proofOf(sample, request.generation, request.nonce);
const answer = (changes: object = {}) =>
  JSON.stringify({ ok: true, reseeded_rng: true, generation: 7, sample, proof, ...changes });
const witness = { changed: true, digest: '77'.repeat(32) };
const honest: GateCase = { request, response: answer(), elapsedMs: 5, witness, insertion: null };
/** A proof that fits a request which the host itself should never have made. */
const answerTo = (generation: number, nonce: string) =>
  JSON.stringify({ ok: true, reseeded_rng: true, sample, proof: proofOf(sample, generation, nonce) });

describe('a rule of the gate', () => {
  test.each<[string, string, string, Partial<GateCase>, Partial<GateConfig>]>([
    ['asks the store', 'insert', 'insert if absent', {}, {}],
    ['asks the store without a witness', 'insert', 'insert if absent', { witness: null }, {}],
    ['asks the store at the deadline', 'insert', 'insert if absent', { elapsedMs: 1000 }, {}],
    [
      'asks the store when the guest leaves the generation to the proof',
      'insert',
      'insert if absent',
      { response: answer({ generation: undefined }) },
      {},
    ],
    [
      'admits what was inserted',
      'admit',
      'diverged: proof matches, sample never seen before',
      { insertion: 'inserted' },
      {},
    ],
    ['refuses what was present', 'refuse', 'seen before for this snapshot', { insertion: 'present' }, {}],
    ['refuses when the store is full', 'refuse', 'store is full', { insertion: 'full' }, {}],
    ['refuses when the store failed', 'refuse', 'store failed', { insertion: 'failed' }, {}],
    [
      'refuses what a store would never say',
      'refuse',
      'store failed',
      { insertion: '' as GateCase['insertion'] },
      {},
    ],
    [
      'refuses a request without a generation, though the proof fits it',
      'refuse',
      'the request is no request',
      { request: { ...request, generation: 0 }, response: answerTo(0, request.nonce) },
      {},
    ],
    [
      'refuses a request with a short nonce, though the proof fits it',
      'refuse',
      'the request is no request',
      { request: { ...request, nonce: 'aa' }, response: answerTo(7, 'aa') },
      {},
    ],
    ['refuses silence', 'refuse', 'no response', { response: null }, {}],
    ['refuses one millisecond too late', 'refuse', 'late', { elapsedMs: 1001 }, {}],
    ['refuses a time that is none', 'refuse', 'late', { elapsedMs: Number.NaN }, {}],
    [
      'refuses another generation',
      'refuse',
      'of another generation',
      { response: answer({ generation: 8 }) },
      {},
    ],
    ['refuses another proof', 'refuse', 'proof does not match', { response: answer({ proof: sample }) }, {}],
    [
      'refuses a missing witness where one is required',
      'refuse',
      'no host-side witness',
      { witness: null },
      { requireWitness: true },
    ],
    ['takes a witness where one is required', 'insert', 'insert if absent', {}, { requireWitness: true }],
    [
      'refuses an unchanged generator',
      'refuse',
      'host-side witness: generator unchanged',
      { witness: { ...witness, changed: false } },
      {},
    ],
    [
      'refuses a witness whose digest is none',
      'refuse',
      'host-side witness: no digest',
      { witness: { ...witness, digest: '77' } },
      {},
    ],
  ])('always %s: %s, by name', (_, verdict, rule, changes, own) => {
    expect(judgeReseed({ ...config, ...own }, { ...honest, ...changes })).toMatchObject({ verdict, rule });
  });

  test('never lets more than the sample be inserted where there is no witness', () => {
    expect(judgeReseed(config, { ...honest, witness: null })).toEqual({
      verdict: 'insert',
      insert: { snapshot: request.snapshot, keys: [`sample:${sample}`] },
      rule: 'insert if absent',
    });
  });
});
