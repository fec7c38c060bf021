/** The agent's report rule by rule, and the bounds of seed, nonce, generation and draw. */
import { describe, expect, test } from 'vitest';
import { isDigest, isGeneration, isNonce, isSeed, proofOf, sampleOf } from './reseed-proof.ts';
import { type CallResult, reportReseed } from './reseed-report.ts';

const request = { generation: 7, nonce: 'aa'.repeat(32), seed: '5e'.repeat(32) };
const drawn = '1d'.repeat(32);
const credit: CallResult = { call: 'RNDADDENTROPY', ret: 0, errno: null };
const reseed: CallResult = { call: 'RNDRESEEDCRNG', ret: 0, errno: null };
const draw: CallResult = { call: 'getrandom', ret: 32, errno: null, octets: drawn };
const sample = sampleOf(drawn) ?? '';

describe('a report', () => {
  test.each<[string, CallResult[], object]>([
    [
      'credit the whole seed',
      [],
      { next: { call: 'RNDADDENTROPY', entropyBits: 256, octets: request.seed } },
    ],
    ['force the reseed', [credit], { next: { call: 'RNDRESEEDCRNG' } }],
    ['draw the sample', [credit, reseed], { next: { call: 'getrandom', length: 32 } }],
    [
      'credited, reseeded, sampled',
      [credit, reseed, draw],
      {
        reply: {
          ok: true,
          reseeded_rng: true,
          generation: 7,
          sample,
          proof: proofOf(sample, 7, request.nonce),
        },
      },
    ],
  ])('always says what is next: %s', (rule, results, step) => {
    expect(reportReseed(request, results)).toEqual({ ...step, rule });
  });

  test.each<[string, CallResult[]]>([
    ['results are out of order', [reseed]],
    ['results are out of order', [{ ...reseed, ret: -1 }]],
    ['results are out of order', [credit, draw]],
    ['results are out of order', [credit, credit]],
    ['results are out of order', [credit, reseed, reseed]],
    // Its return value would pass for a draw's.
    ['results are out of order', [credit, reseed, { ...draw, call: 'read' }]],
    ['results are out of order', [credit, reseed, draw, draw]],
    ['RNDADDENTROPY: EPERM', [{ ...credit, ret: -1, errno: 'EPERM' }]],
    ['RNDADDENTROPY: returned 1', [{ ...credit, ret: 1 }]],
    ['RNDADDENTROPY: returned -1', [{ ...credit, ret: -1, errno: '' }]],
    ['RNDADDENTROPY: returned -1', [{ ...credit, ret: -1, errno: 'xENOTTY' }]],
    ['RNDADDENTROPY: returned -1', [{ ...credit, ret: -1, errno: 'ENOTTYx' }]],
    ['RNDADDENTROPY: returned -1', [{ ...credit, ret: -1, errno: 'E' }]],
    ['RNDADDENTROPY: returned -1', [{ ...credit, ret: -1, errno: `E${'A'.repeat(16)}` }]],
    ['RNDADDENTROPY: E2BIG', [{ ...credit, ret: -1, errno: 'E2BIG' }]],
    ['RNDRESEEDCRNG: EINVAL', [credit, { ...reseed, ret: -1, errno: 'EINVAL' }]],
    ['getrandom: returned 16', [credit, reseed, { ...draw, ret: 16 }]],
    ['getrandom: no 32 octets', [credit, reseed, { ...draw, octets: 'zz'.repeat(32) }]],
    ['getrandom: no 32 octets', [credit, reseed, { call: 'getrandom', ret: 32, errno: null }]],
  ])('always refuses by its rule: %s', (rule, results) => {
    expect(reportReseed(request, results)).toEqual({
      reply: { ok: false, reseeded_rng: false, generation: 7, error: rule },
      rule,
    });
  });

  test.each([
    ['generation is no positive integer below 2^53', 0, { ...request, generation: 1.5 }],
    ['nonce is not 32 octets', 7, { ...request, nonce: '' }],
    ['seed is not 32 octets or more', 7, { ...request, seed: '' }],
  ])('always refuses a request by its rule: %s', (rule, generation, bad) => {
    expect(reportReseed(bad, [])).toEqual({
      reply: { ok: false, reseeded_rng: false, generation, error: rule },
      rule,
    });
  });
});

describe('octets in hex', () => {
  test('are a digest only as 64 lower-case hex digits', () => {
    const wrong = [null, 7, '', sample.slice(1), `${sample}0`, `0${sample}`, sample.toUpperCase(), [sample]];
    expect(isDigest(sample)).toBe(true);
    expect(wrong.filter(isDigest)).toEqual([]);
  });

  test('are a nonce only as 32 octets', () => {
    const wrong = [
      '',
      'aa'.repeat(31),
      'aa'.repeat(33),
      'zz'.repeat(32),
      'AA'.repeat(32),
      `${'a'.repeat(63)} `,
      ` ${'a'.repeat(63)}`,
    ];
    expect(isNonce('0f'.repeat(32))).toBe(true);
    expect(wrong.filter(isNonce)).toEqual([]);
  });

  test('are a seed only as 32 to 512 whole octets', () => {
    const wrong = [
      '',
      'ab'.repeat(31),
      'ab'.repeat(513),
      `${'ab'.repeat(32)}a`,
      'zz'.repeat(64),
      `${'ab'.repeat(32)}zz`,
      `zz${'ab'.repeat(32)}`,
    ];
    expect([32, 33, 512].map((octets) => isSeed('ab'.repeat(octets)))).toEqual([true, true, true]);
    expect(wrong.filter(isSeed)).toEqual([]);
  });

  test('are a sample only when 32 octets were drawn', () => {
    const wrong = ['', '1d'.repeat(31), '1d'.repeat(33), 'zz'.repeat(32), '1D'.repeat(32)];
    expect(sampleOf(drawn)).toMatch(/^[0-9a-f]{64}$/);
    expect(wrong.map(sampleOf)).toEqual(wrong.map(() => null));
  });
});

describe('a generation', () => {
  test('is only an integer from 1 to 2^53 − 1', () => {
    expect([1, 2, 2 ** 53 - 1].filter(isGeneration)).toHaveLength(3);
    expect([0, -1, 1.5, 2 ** 53, Number.NaN, Infinity, '7', null, undefined].filter(isGeneration)).toEqual(
      [],
    );
  });
});
