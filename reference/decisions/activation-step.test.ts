/** The host: reserve, notify, gate, insert, release, deliver; everything else is reaped. */
import { describe, expect, test } from 'vitest';
import {
  type ActivationAction,
  type ActivationEvent,
  activationAtStart,
  type ForkBegun,
  stepActivation,
} from './activation-step.ts';
import { proofOf } from './reseed-proof.ts';

const config = { deadlineMs: 1000, requireWitness: false, maxForks: 2 };
const begun: ForkBegun = {
  kind: 'fork',
  fork: 'fork-1',
  snapshot: 'sha256:template',
  generation: 7,
  seed: '5e'.repeat(32),
  nonce: 'aa'.repeat(32),
  hostWallClockNanos: 1_795_000_000_000_000_000,
};
const sample = '3c'.repeat(32);
const line = JSON.stringify({ ok: true, reseeded_rng: true, sample, proof: proofOf(sample, 7, begun.nonce) });
const stored = (
  purpose: 'reserve' | 'witness',
  answer: 'inserted' | 'present' | 'full' | 'failed',
): ActivationEvent => ({
  kind: 'stored',
  fork: 'fork-1',
  purpose,
  answer,
});
const response: ActivationEvent = { kind: 'response', fork: 'fork-1', line, elapsedMs: 5, witness: null };
const deliver: ActivationEvent = { kind: 'deliver', fork: 'fork-1', what: 'secrets' };
const whole: ActivationEvent[] = [
  begun,
  stored('reserve', 'inserted'),
  response,
  stored('witness', 'inserted'),
  { kind: 'released', fork: 'fork-1', generation: 7, ok: true },
];

function run(events: readonly ActivationEvent[]): { kinds: string[]; last: readonly ActivationAction[] } {
  let state = activationAtStart();
  let last: readonly ActivationAction[] = [];
  const kinds: string[] = [];
  for (const event of events) {
    ({ state, actions: last } = stepActivation(config, state, event));
    kinds.push(...last.map(({ kind }) => kind).filter((kind) => kind !== 'arm-deadline'));
  }
  return { kinds, last };
}

describe('the host', () => {
  test('always reserves, notifies, inserts, releases and delivers in this order', () => {
    expect(run([...whole, deliver]).kinds.join(' ')).toBe('insert notify-forked insert release deliver');
  });

  test.each([0, 1, 2, 3, 4])('never delivers after %i of 5 steps', (steps) => {
    expect(run([...whole.slice(0, steps), deliver]).last).toMatchObject([{ kind: 'deny' }]);
  });

  test.each<[string, ActivationEvent[]]>([
    ['whose randomness was used before', [begun, stored('reserve', 'present')]],
    ['that the store has no room for', [begun, stored('reserve', 'full')]],
    ['that does not answer', [...whole.slice(0, 2), { kind: 'deadline', fork: 'fork-1' }]],
    ['that speaks before it is asked', [begun, response]],
    ['that answers late', [...whole.slice(0, 2), { ...response, elapsedMs: 1001 } as ActivationEvent]],
    ['whose sample was seen before', [...whole.slice(0, 3), stored('witness', 'present')]],
    [
      'that does not release',
      [...whole.slice(0, 4), { kind: 'released', fork: 'fork-1', generation: 7, ok: false }],
    ],
    [
      'that releases another generation',
      [...whole.slice(0, 4), { kind: 'released', fork: 'fork-1', generation: 8, ok: true }],
    ],
    ['whose VM is gone', [...whole, { kind: 'gone', fork: 'fork-1' }]],
    ['with a short seed', [{ ...begun, seed: '5e'.repeat(31) }]],
    ['with one value for seed and nonce', [{ ...begun, seed: begun.nonce }]],
    ['with generation 0', [{ ...begun, generation: 0 }]],
    ['beyond the bound', [begun, { ...begun, fork: 'fork-2' }, { ...begun, fork: 'fork-3' }]],
  ])('reaps a fork %s', (_, events) => {
    expect(run(events).last).toMatchObject([{ kind: 'reap' }]);
  });

  test('never forgets a fork that begins twice', () => {
    expect(run([...whole.slice(0, 2), begun]).last).toEqual([]);
  });

  test('reaps after kill -9 what the store does not hold, and releases again only what it holds', () => {
    const running = [
      { fork: 'fork-1', snapshot: begun.snapshot, generation: 7, admitted: true },
      { fork: 'fork-2', snapshot: begun.snapshot, generation: 8, admitted: false },
    ];
    const { kinds, last } = run([{ kind: 'restart', running }, deliver]);
    expect(kinds).toEqual(['release', 'reap', 'deny']);
    expect(last).toMatchObject([{ kind: 'deny' }]);
  });

  test('never takes a fork for one that Object.prototype knows', () => {
    expect(run([{ ...deliver, fork: 'constructor' } as ActivationEvent]).last).toMatchObject([
      { kind: 'deny' },
    ]);
    expect(run([{ kind: 'gone', fork: 'constructor' }]).last).toEqual([]);
  });

  test('never keeps a seed once it was sent', () => {
    let state = activationAtStart();
    for (const event of whole.slice(0, 2)) ({ state } = stepActivation(config, state, event));
    expect(JSON.stringify(state)).not.toContain(begun.seed);
  });
});
