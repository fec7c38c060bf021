/** The agent's report: both ioctls and the draw must have succeeded, in their order. */
import { describe, expect, test } from 'vitest';
import { proofOf, sampleOf } from './reseed-proof.ts';
import { type CallResult, reportReseed } from './reseed-report.ts';

const request = { generation: 7, nonce: 'aa'.repeat(32), seed: '5e'.repeat(32) };
const drawn = Array.from({ length: 32 }, (_, octet) => octet.toString(16).padStart(2, '0')).join('');
const credit: CallResult = { call: 'RNDADDENTROPY', ret: 0, errno: null };
const reseed: CallResult = { call: 'RNDRESEEDCRNG', ret: 0, errno: null };
const draw: CallResult = { call: 'getrandom', ret: 32, errno: null, octets: drawn };

describe('the proof', () => {
  test('is always the one that the finding prints', () => {
    const sample = sampleOf(drawn) ?? '';
    expect(sample).toBe('630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd');
    expect(proofOf(sample, 7, request.nonce)).toBe(
      '3ad7aea3cceaa2010b6295786a23525ff2546d8497a51e2da5f53367ebebdfd0',
    );
  });
});

describe('the report', () => {
  test('always credits, reseeds and draws, in this order', () => {
    expect(reportReseed(request, [])).toMatchObject({
      next: { call: 'RNDADDENTROPY', entropyBits: 256, octets: request.seed },
    });
    expect(reportReseed(request, [credit])).toMatchObject({ next: { call: 'RNDRESEEDCRNG' } });
    expect(reportReseed(request, [credit, reseed])).toMatchObject({
      next: { call: 'getrandom', length: 32 },
    });
    expect(reportReseed(request, [credit, reseed, draw])).toMatchObject({
      reply: { ok: true, reseeded_rng: true, generation: 7 },
    });
  });

  test.each<[string, CallResult[]]>([
    ['an ioctl that is none of the device', [{ ...credit, ret: -1, errno: 'ENOTTY' }]],
    ['a credit without CAP_SYS_ADMIN', [{ ...credit, ret: -1, errno: 'EPERM' }]],
    ['a credit that returns a count', [{ ...credit, ret: 32 }]],
    ['a reseed that fails', [credit, { ...reseed, ret: -1, errno: 'EINVAL' }]],
    ['a short draw', [credit, reseed, { ...draw, ret: 16, octets: drawn.slice(32) }]],
    ['a draw that gives nothing', [credit, reseed, { call: 'getrandom', ret: 32, errno: null }]],
    ['a draw before the reseed', [credit, draw, reseed]],
    ['a reseed before the credit', [reseed, credit, draw]],
    ['a call too many', [credit, reseed, draw, draw]],
  ])('refuses %s', (_, results) => {
    expect(reportReseed(request, results)).toMatchObject({ reply: { ok: false, reseeded_rng: false } });
  });

  test.each([
    ['a seed of 31 octets', { ...request, seed: '5e'.repeat(31) }],
    ['a seed of 513 octets', { ...request, seed: '5e'.repeat(513) }],
    ['a seed that is no hex', { ...request, seed: 'zz'.repeat(32) }],
    ['a nonce of 31 octets', { ...request, nonce: 'aa'.repeat(31) }],
    ['generation 0', { ...request, generation: 0 }],
    ['generation 2^53', { ...request, generation: 2 ** 53 }],
  ])('refuses %s before anything is called', (_, bad) => {
    expect(reportReseed(bad, [])).toMatchObject({ reply: { ok: false } });
  });

  test('never repeats an error name that is none', () => {
    const { rule } = reportReseed(request, [{ ...credit, ret: -1, errno: `E ${request.seed}` }]);
    expect(rule).toBe('RNDADDENTROPY: returned -1');
  });
});
