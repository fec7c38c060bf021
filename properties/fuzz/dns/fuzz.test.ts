/** The small run of the fuzzer, the same every time; that each invariant can fail; that a failure replays. */
import { describe, expect, test } from 'vitest';
import { queryFamilies } from '../../arbitraries/dns-hostile-queries.ts';
import { replyFamilies } from '../../arbitraries/dns-hostile-replies.ts';
import { loadCodec } from './codec.ts';
import { type Invariant, invariants } from './finding.ts';
import { fuzz } from './fuzz.ts';
import { endless, plantedMistakes } from './planted-mistakes.ts';
import { watchedFuzz } from './watched-fuzz.ts';

const small = { seed: 4, runs: 4_000, deadlineMs: Number.MAX_VALUE };

test('the codec always holds what the models say, on the small run', async () => {
  const { totals, counterexample } = fuzz(await loadCodec(), small);
  expect(counterexample).toBeNull();
  const families = [
    ...queryFamilies.map((family) => `query/${family}`),
    ...replyFamilies.map((family) => `reply/${family}`),
  ];
  expect(Object.keys(totals.families).sort()).toEqual(families.sort());
  expect(totals).toMatchObject({ cases: small.runs });
});

describe('within the small run', () => {
  test.each(Object.keys(invariants) as Invariant[])(
    'the invariant %s is always broken by a mistake that is planted',
    async (wanted) => {
      const mutant = plantedMistakes[wanted];
      const { outcome, sought, reason } = await watchedFuzz({ bounds: small, mutant, wanted });
      expect({ outcome, reason, invariant: sought?.invariant }).toEqual({
        outcome: 'falsified',
        reason: '',
        invariant: wanted,
      });
    },
  );
});

describe('what is found', () => {
  const mutant = plantedMistakes.covert;

  test('is always shrunk to a message that replays by seed and path', async () => {
    const { counterexample } = await watchedFuzz({ bounds: small, mutant });
    expect(counterexample?.findings[0]?.invariant).toBe('covert');
    const { seed = 0, path = '' } = counterexample ?? {};
    const again = await watchedFuzz({ bounds: { ...small, seed, path }, mutant });
    expect(again.outcome).toBe('falsified');
    expect(again.counterexample?.findings).toEqual(counterexample?.findings);
    // A question of an allowlisted name is what there has to be, and no more than a few octets beside it.
    expect(counterexample?.guest.length).toBeLessThan(2 * 60);
  });

  test('is always a hang, with its message, where the codec never ends', async () => {
    const { outcome, lastMessage } = await watchedFuzz({ bounds: small, mutant: endless, hangMs: 8_000 });
    expect(outcome).toBe('hung');
    expect(lastMessage).toMatch(/^([0-9a-f]{2})*$/);
  });

  test('is never said of a run that was interrupted', async () => {
    const interrupt = new AbortController();
    const running = watchedFuzz({
      bounds: { ...small, runs: 1_000_000 },
      signal: interrupt.signal,
      onProgress: () => interrupt.abort(),
    });
    const { outcome, totals } = await running;
    expect(outcome).toBe('interrupted');
    expect(totals.cases).toBeGreaterThan(0);
  });
});
