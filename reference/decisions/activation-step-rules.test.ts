/** The host point by point: what each event does to a fork there, and by which rule. */
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type ActivationEvent,
  type ActivationState,
  activationAtStart,
  type ForkBegun,
  stepActivation,
} from './activation-step.ts';
import { proofOf } from './reseed-proof.ts';

const config = { deadlineMs: 1000, requireWitness: false, maxForks: 2 };
const snapshot = 'sha256:template';
const begun: ForkBegun = {
  kind: 'fork',
  fork: 'fork-1',
  snapshot,
  generation: 7,
  seed: '5e'.repeat(32),
  nonce: 'aa'.repeat(32),
  hostWallClockNanos: 1_795_000_000_000_000_000,
};
const sample = '3c'.repeat(32);
const line = JSON.stringify({ ok: true, reseeded_rng: true, sample, proof: proofOf(sample, 7, begun.nonce) });
const witness = { changed: true, digest: '77'.repeat(32) };
type Answer = Extract<ActivationEvent, { kind: 'stored' }>['answer'];
const stored = (purpose: 'reserve' | 'witness', answer: Answer = 'inserted'): ActivationEvent => ({
  kind: 'stored',
  fork: 'fork-1',
  purpose,
  answer,
});
const response: ActivationEvent = { kind: 'response', fork: 'fork-1', line, elapsedMs: 5, witness };
const released: ActivationEvent = { kind: 'released', fork: 'fork-1', generation: 7, ok: true };
const deadline: ActivationEvent = { kind: 'deadline', fork: 'fork-1' };

const to = {
  reserving: [begun],
  notified: [begun, stored('reserve')],
  inserting: [begun, stored('reserve'), response],
  releasing: [begun, stored('reserve'), response, stored('witness')],
  released: [begun, stored('reserve'), response, stored('witness'), released],
} as const;
type Phase = keyof typeof to;
const phases = Object.keys(to) as Phase[];

function stateIn(phase: Phase): ActivationState {
  let state = activationAtStart();
  for (const event of to[phase]) ({ state } = stepActivation(config, state, event));
  return state;
}

/** What an event does to the fork in that phase: actions, the phase it is in then (null: forgotten), the rule. */
function said(phase: Phase, event: ActivationEvent) {
  const { state, actions, rule } = stepActivation(config, stateIn(phase), event);
  return { actions, phase: state.forks['fork-1']?.phase ?? null, rule };
}

const arm = { kind: 'arm-deadline', fork: 'fork-1', afterMs: 1000 };
const reaped = (rule: string) => ({ actions: [{ kind: 'reap', fork: 'fork-1' }], phase: null, rule });
const ignored = (phase: Phase) => ({ actions: [], phase, rule: 'out of place: ignored' });

describe('a fork that begins', () => {
  test('is always reserved by digests alone, within its deadline', () => {
    const step = stepActivation(config, activationAtStart(), begun);
    const insert = {
      kind: 'insert',
      fork: 'fork-1',
      purpose: 'reserve',
      snapshot,
      generation: 7,
      keys: ['generation:7', `random:${hash('sha256', begun.seed)}`, `random:${hash('sha256', begun.nonce)}`],
    };
    expect(step.actions).toEqual([arm, insert]);
    expect(step.rule).toBe('reserve seed, nonce and generation');
    expect(step.state.forks).toEqual({
      'fork-1': { phase: 'reserving', snapshot, generation: 7, nonce: begun.nonce, begun, response: null },
    });
  });

  test.each<[string, Partial<ForkBegun>]>([
    ['generation is no positive integer below 2^53', { generation: 2 ** 53 }],
    ['seed is too short or too long', { seed: '5e'.repeat(31) }],
    ['nonce is not 32 octets', { nonce: 'aa'.repeat(31) }],
    ['seed and nonce are one', { seed: begun.nonce }],
  ])('is always reaped when its %s', (rule, changes) => {
    const step = stepActivation(config, activationAtStart(), { ...begun, ...changes });
    expect(step).toEqual({ state: { forks: {} }, actions: [{ kind: 'reap', fork: 'fork-1' }], rule });
  });

  test('is never begun twice, and changes nothing then', () => {
    for (const phase of phases) {
      const before = stateIn(phase);
      const step = stepActivation(config, stateIn(phase), { ...begun, generation: 8 });
      expect(step).toEqual({ state: before, actions: [], rule: 'fork is known already: ignored' });
    }
  });

  test('is known only up to the bound', () => {
    const { state } = stepActivation(config, stateIn('released'), { ...begun, fork: 'fork-2' });
    const third = stepActivation(config, state, { ...begun, fork: 'fork-3' });
    expect(third).toMatchObject({ actions: [{ kind: 'reap', fork: 'fork-3' }], rule: 'too many forks' });
    expect(Object.keys(third.state.forks)).toEqual(['fork-1', 'fork-2']);
  });
});

describe('the store’s word on a reservation', () => {
  test.each(phases)('notifies only what is reserving, not what is %s', (phase) => {
    const step = said(phase, stored('reserve'));
    if (phase !== 'reserving') return expect(step).toEqual(ignored(phase));
    const message = {
      version: 1,
      generation: 7,
      nonce: begun.nonce,
      seed: begun.seed,
      host_wall_clock_nanos: begun.hostWallClockNanos,
    };
    return expect(step).toEqual({
      actions: [{ kind: 'notify-forked', fork: 'fork-1', message }, arm],
      phase: 'notified',
      rule: 'notify',
    });
  });

  test.each<[Answer, string]>([
    ['present', 'seed, nonce or generation was used before'],
    ['full', 'store: full'],
    ['failed', 'store: failed'],
  ])('reaps the fork when it is %s', (answer, rule) => {
    expect(said('reserving', stored('reserve', answer))).toEqual(reaped(rule));
  });
});

describe('a response', () => {
  test.each(phases)('is heard only once it was asked for, not when %s', (phase) => {
    const step = said(phase, response);
    if (phase === 'reserving') return expect(step).toEqual(reaped('the guest spoke before it was asked'));
    if (phase !== 'notified') return expect(step).toEqual(ignored(phase));
    const insert = {
      kind: 'insert',
      fork: 'fork-1',
      purpose: 'witness',
      snapshot,
      generation: 7,
      keys: [`sample:${sample}`, `witness:${witness.digest}`],
    };
    return expect(step).toEqual({ actions: [insert], phase: 'inserting', rule: 'insert if absent' });
  });

  test('that the gate refuses always reaps the fork by the gate’s rule', () => {
    expect(said('notified', { ...response, line: '{}' } as ActivationEvent)).toEqual(
      reaped('ok is not true'),
    );
    expect(said('notified', { ...response, elapsedMs: 1001 } as ActivationEvent)).toEqual(reaped('late'));
  });

  test('is always kept until the store has spoken', () => {
    const { state } = stepActivation(config, stateIn('notified'), response);
    expect(state.forks['fork-1']).toMatchObject({ response: { line, elapsedMs: 5, witness } });
  });
});

describe('the store’s word on a witness', () => {
  test.each(phases)('releases only what is inserting, not what is %s', (phase) => {
    const step = said(phase, stored('witness'));
    if (phase !== 'inserting') return expect(step).toEqual(ignored(phase));
    return expect(step).toEqual({
      actions: [{ kind: 'release', fork: 'fork-1', message: { generation: 7 } }, arm],
      phase: 'releasing',
      rule: 'diverged: proof matches, sample never seen before',
    });
  });

  test.each<[Answer, string]>([
    ['present', 'seen before for this snapshot'],
    ['full', 'store is full'],
    ['failed', 'store failed'],
  ])('reaps the fork when it is %s', (answer, rule) => {
    expect(said('inserting', stored('witness', answer))).toEqual(reaped(rule));
  });

  test('never releases a fork whose response is lost', () => {
    const state = stateIn('inserting');
    const fork = state.forks['fork-1'];
    if (fork !== undefined) fork.response = null;
    const step = stepActivation(config, state, stored('witness'));
    expect(step).toEqual({
      state: { forks: {} },
      actions: [{ kind: 'reap', fork: 'fork-1' }],
      rule: 'no response',
    });
  });

  test('always forgets the response that it was asked about', () => {
    expect(stateIn('releasing').forks['fork-1']).toMatchObject({ response: null });
  });
});

describe('the agent’s word on a release', () => {
  test.each(phases)('opens only what is releasing, not what is %s', (phase) => {
    const expected =
      phase === 'releasing' ? { actions: [], phase: 'released', rule: 'released' } : ignored(phase);
    expect(said(phase, released)).toEqual(expected);
  });

  test.each<[string, object]>([
    ['it says no', { ok: false }],
    ['it is of another generation', { generation: 8 }],
  ])('reaps the fork when %s', (_, changes) => {
    const event = { ...released, ...changes } as ActivationEvent;
    expect(said('releasing', event)).toEqual(reaped('the agent refused the release'));
  });
});

describe('a deadline', () => {
  test.each(phases)('reaps a fork that is %s, unless it was released', (phase) => {
    const expected =
      phase === 'released'
        ? { actions: [], phase, rule: 'released in time' }
        : reaped(`deadline while ${phase}`);
    expect(said(phase, deadline)).toEqual(expected);
  });
});

describe('a VM that is gone', () => {
  test.each(phases)('is always reaped when %s', (phase) => {
    expect(said(phase, { kind: 'gone', fork: 'fork-1' })).toEqual(reaped('the VM is gone'));
  });
});

describe('a delivery', () => {
  test.each(phases)('passes only once released, not when %s', (phase) => {
    const [kind, rule] = phase === 'released' ? ['deliver', 'released'] : ['deny', 'not before the release'];
    const expected = { actions: [{ kind, fork: 'fork-1', what: 'token' }], phase, rule };
    expect(said(phase, { kind: 'deliver', fork: 'fork-1', what: 'token' })).toEqual(expected);
  });

  test('is always denied to a fork that nobody knows', () => {
    const step = stepActivation(config, stateIn('released'), {
      kind: 'deliver',
      fork: 'fork-9',
      what: 'exec',
    });
    expect(step).toMatchObject({
      actions: [{ kind: 'deny', fork: 'fork-9', what: 'exec' }],
      rule: 'not before the release',
    });
  });
});

describe('an event of a fork that nobody knows', () => {
  test.each<ActivationEvent>([stored('reserve'), stored('witness'), response, released, deadline])(
    'is always ignored: $kind',
    (event) => {
      const step = stepActivation(config, activationAtStart(), event);
      expect(step).toEqual({ state: { forks: {} }, actions: [], rule: 'no such fork: ignored' });
    },
  );
});

describe('a restart', () => {
  test('releases again only what the store holds for a generation that can be one', () => {
    const fork = (id: string, changes: object) => ({
      fork: id,
      snapshot,
      generation: 7,
      admitted: true,
      ...changes,
    });
    const running = [fork('a', {}), fork('b', { admitted: false }), fork('c', { generation: 0 })];
    const step = stepActivation(config, stateIn('released'), { kind: 'restart', running });
    expect(step).toEqual({
      state: {
        forks: { a: { phase: 'releasing', snapshot, generation: 7, nonce: '', begun: null, response: null } },
      },
      actions: [
        { kind: 'release', fork: 'a', message: { generation: 7 } },
        { kind: 'arm-deadline', fork: 'a', afterMs: 1000 },
        { kind: 'reap', fork: 'b' },
        { kind: 'reap', fork: 'c' },
      ],
      rule: 'what the store does not hold is reaped',
    });
  });
});
