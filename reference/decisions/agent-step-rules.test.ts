/** The guest agent phase by phase: what each event does there, what it answers, and by which rule. */
import { describe, expect, test } from 'vitest';
import { type AgentEvent, type AgentState, agentAtBoot, stepAgent } from './agent-step.ts';

const request = {
  version: 1,
  generation: 7,
  nonce: 'aa'.repeat(32),
  seed: '5e'.repeat(32),
  host_wall_clock_nanos: 1_795_000_000_000_000_000,
};
const prepare: AgentEvent = { kind: 'prepare-snapshot' };
const frozen: AgentEvent = { kind: 'frozen', ok: true };
const notify: AgentEvent = { kind: 'notify-forked', request };
const called = (call: string, ret: number, octets?: string): AgentEvent => ({
  kind: 'called',
  generation: 7,
  result: octets === undefined ? { call, ret, errno: null } : { call, ret, errno: null, octets },
});
const credited = called('RNDADDENTROPY', 0);
const forced = called('RNDRESEEDCRNG', 0);
const drawn = called('getrandom', 32, '1d'.repeat(32));
const repaired: AgentEvent = { kind: 'repaired', generation: 7, ok: true, appliedClockStepNanos: 25 };
const release: AgentEvent = { kind: 'release', generation: 7 };
const signaled: AgentEvent = { kind: 'signaled', generation: 7, processes: 2 };
const exec: AgentEvent = { kind: 'request', service: 'exec' };

/** Events that lead from boot to each phase. */
const to = {
  running: [],
  freezing: [prepare],
  frozen: [prepare, frozen],
  reseeding: [prepare, frozen, notify],
  repairing: [prepare, frozen, notify, credited, forced, drawn],
  replied: [prepare, frozen, notify, credited, forced, drawn, repaired],
  releasing: [prepare, frozen, notify, credited, forced, drawn, repaired, release],
  released: [prepare, frozen, notify, credited, forced, drawn, repaired, release, signaled],
  refused: [notify],
} as const satisfies Record<AgentState['phase'], readonly AgentEvent[]>;
type Phase = keyof typeof to;
const phases = Object.keys(to) as Phase[];

function stateIn(phase: Phase): AgentState {
  return to[phase].reduce<AgentState>((state, event) => stepAgent(state, event).state, agentAtBoot);
}

/** What the step does, in words: its actions, the phase it leads to, its rule. */
function said(phase: Phase, event: AgentEvent) {
  const { state, actions, rule } = stepAgent(stateIn(phase), event);
  return { actions, phase: state.phase, rule };
}

const answer = (to: string, body: object) => ({ kind: 'reply', to, body });
const no = (to: string, error: string) => answer(to, { ok: false, error });
const noFork = (error: string) => answer('notify-forked', { ok: false, reseeded_rng: false, error });
const ignored = 'out of place: ignored';

describe('an agent', () => {
  test.each(phases)('is always brought to %s by its events', (phase) => {
    expect(stateIn(phase).phase).toBe(phase);
  });

  test('always begins running, with nothing remembered', () => {
    expect(agentAtBoot).toEqual({
      phase: 'running',
      before: 'running',
      generation: 0,
      request: null,
      results: [],
      reply: null,
      seeds: [],
    });
  });

  test.each(phases)('asked to prepare a snapshot when %s, freezes only what runs', (phase) => {
    const busy = { actions: [no('prepare-snapshot', `busy: ${phase}`)], phase, rule: `busy: ${phase}` };
    const expected = {
      running: { actions: [{ kind: 'freeze' }], phase: 'freezing', rule: 'freeze' },
      released: { actions: [{ kind: 'freeze' }], phase: 'freezing', rule: 'freeze' },
      frozen: {
        actions: [answer('prepare-snapshot', { ok: true })],
        phase: 'frozen',
        rule: 'frozen already',
      },
    };
    expect(said(phase, prepare)).toEqual(phase in expected ? expected[phase as keyof typeof expected] : busy);
  });

  test.each(phases)('told that the workload is frozen when %s, believes it only while freezing', (phase) => {
    const expected =
      phase === 'freezing'
        ? { actions: [answer('prepare-snapshot', { ok: true })], phase: 'frozen', rule: 'frozen' }
        : { actions: [], phase, rule: ignored };
    expect(said(phase, frozen)).toEqual(expected);
  });

  test.each(['running', 'released'] as const)('whose freeze fails always goes back to %s', (phase) => {
    const rule = 'the workload did not freeze';
    const { state } = stepAgent(stateIn(phase), prepare);
    const step = stepAgent(state, { kind: 'frozen', ok: false });
    expect(step).toMatchObject({
      actions: [{ kind: 'thaw' }, no('prepare-snapshot', rule)],
      state: { phase },
      rule,
    });
  });
});

describe('an agent that is forked', () => {
  test.each(phases)('notified of it when %s, reseeds only what was frozen', (phase) => {
    const next: AgentEvent = {
      kind: 'notify-forked',
      request: { ...request, generation: 8, seed: '6f'.repeat(32) },
    };
    const unfrozen = 'the workload was not frozen before the snapshot';
    const step = said(phase, next);
    if (phase === 'frozen') {
      expect(step).toEqual({
        actions: [
          {
            kind: 'call',
            generation: 8,
            call: { call: 'RNDADDENTROPY', entropyBits: 256, octets: '6f'.repeat(32) },
          },
        ],
        phase: 'reseeding',
        rule: 'credit the whole seed',
      });
    } else if (phase === 'running' || phase === 'freezing') {
      expect(step).toEqual({ actions: [noFork(unfrozen)], phase: 'refused', rule: unfrozen });
    } else {
      const rule = `not frozen: ${phase}`;
      expect(step).toEqual({ actions: [noFork(rule)], phase, rule });
    }
  });

  test.each<[string, Partial<typeof request>]>([
    ['generation is not above the last one', { generation: 7, seed: '6f'.repeat(32) }],
    ['generation is not above the last one', { generation: 6, seed: '6f'.repeat(32) }],
    ['seed was used before', { generation: 8 }],
  ])('snapshotted again refuses for good a fork whose %s', (rule, changes) => {
    const state = [prepare, frozen].reduce<AgentState>(
      (at, event) => stepAgent(at, event).state,
      stateIn('released'),
    );
    const step = stepAgent(state, { kind: 'notify-forked', request: { ...request, ...changes } });
    expect(step).toMatchObject({
      actions: [noFork(rule)],
      rule,
      state: { phase: 'refused', request: null, results: [], reply: null },
    });
  });

  test('refuses another version by name, and stays as it was', () => {
    const rule = 'version 3 is not spoken here; spoken: 1';
    const step = said('frozen', { kind: 'notify-forked', request: { ...request, version: 3 } });
    expect(step).toEqual({ actions: [noFork(rule)], phase: 'frozen', rule });
  });

  test('remembers at most 64 seeds, and refuses the fork after them', () => {
    const seeds = Array.from({ length: 63 }, (_, index) => `digest ${index}`);
    const state = { ...stateIn('frozen'), seeds };
    expect(stepAgent(state, notify).state).toMatchObject({
      phase: 'reseeding',
      seeds: [...seeds, expect.any(String)],
    });
    const full = stepAgent({ ...state, seeds: [...seeds, 'one more'] }, notify);
    expect(full).toMatchObject({ actions: [noFork('too many forks of forks')], state: { phase: 'refused' } });
  });
});

describe('a reseed', () => {
  test.each(phases)('goes on by a result of a call only while reseeding, not when %s', (phase) => {
    const step = said(phase, credited);
    if (phase === 'reseeding') {
      expect(step).toEqual({
        actions: [{ kind: 'call', generation: 7, call: { call: 'RNDRESEEDCRNG' } }],
        phase,
        rule: 'force the reseed',
      });
    } else expect(step).toEqual({ actions: [], phase, rule: ignored });
  });

  test('never takes a result of another generation', () => {
    expect(said('reseeding', { ...credited, generation: 8 } as AgentEvent)).toEqual({
      actions: [],
      phase: 'reseeding',
      rule: ignored,
    });
  });

  test('never goes on without its request', () => {
    const step = stepAgent({ ...stateIn('reseeding'), request: null }, credited);
    expect(step).toMatchObject({ actions: [], rule: ignored });
  });

  test('that failed is always answered by its rule, and forgets everything', () => {
    const rule = 'RNDADDENTROPY: returned -1';
    const step = stepAgent(stateIn('reseeding'), called('RNDADDENTROPY', -1));
    expect(step).toMatchObject({
      actions: [noFork(rule)],
      rule,
      state: { phase: 'refused', request: null, results: [], reply: null },
    });
  });

  test('that is done always repairs by the clock of the host, and keeps no request', () => {
    const before = [credited, forced].reduce<AgentState>(
      (at, event) => stepAgent(at, event).state,
      stateIn('reseeding'),
    );
    const step = stepAgent(before, drawn);
    expect(step.actions).toEqual([
      { kind: 'repair', generation: 7, hostWallClockNanos: request.host_wall_clock_nanos },
    ]);
    expect(step.rule).toBe('credited, reseeded, sampled');
    expect(step.state).toMatchObject({
      phase: 'repairing',
      request: null,
      results: [],
      reply: { ok: true, reseeded_rng: true, generation: 7 },
    });
  });
});

describe('a repair', () => {
  test.each(phases)('is answered only while repairing, not when %s', (phase) => {
    const step = said(phase, repaired);
    if (phase !== 'repairing') return expect(step).toEqual({ actions: [], phase, rule: ignored });
    const reply = stateIn('repairing').reply;
    expect(reply).toMatchObject({ ok: true, reseeded_rng: true });
    return expect(step).toEqual({
      actions: [answer('notify-forked', { ...reply, applied_clock_step_nanos: 25 })],
      phase: 'replied',
      rule: 'answered',
    });
  });

  test('is never taken for that of another generation, nor without a reply to give', () => {
    const step = said('repairing', { ...repaired, generation: 6 } as AgentEvent);
    expect(step).toEqual({ actions: [], phase: 'repairing', rule: ignored });
    expect(stepAgent({ ...stateIn('repairing'), reply: null }, repaired)).toMatchObject({
      actions: [],
      rule: ignored,
    });
  });

  test('that failed is always refused for good', () => {
    const rule = 'clock, network or volumes could not be repaired';
    const step = said('repairing', { ...repaired, ok: false } as AgentEvent);
    expect(step).toEqual({ actions: [noFork(rule)], phase: 'refused', rule });
  });

  test('once answered is never kept', () => {
    expect(stateIn('replied').reply).toBeNull();
  });
});

describe('a release', () => {
  test.each(phases)('thaws only what was answered, not what is %s', (phase) => {
    const mine = { kind: 'release', generation: stateIn(phase).generation } as const;
    const expected: Partial<Record<Phase, object>> = {
      replied: {
        actions: [{ kind: 'thaw' }, { kind: 'signal', signal: 'SIGUSR2', generation: 7 }],
        phase: 'releasing',
        rule: 'released by the host',
      },
      releasing: { actions: [], phase, rule: 'being released: answered once it is' },
      released: {
        actions: [answer('release', { ok: true, signaled_processes: 0 })],
        phase,
        rule: 'released already',
      },
    };
    const rule = `not answered: ${phase}`;
    expect(said(phase, mine)).toEqual(expected[phase] ?? { actions: [no('release', rule)], phase, rule });
  });

  test.each(phases)('of another generation is always refused when %s', (phase) => {
    const rule = 'of another generation';
    expect(said(phase, { kind: 'release', generation: 9 })).toEqual({
      actions: [no('release', rule)],
      phase,
      rule,
    });
  });

  test.each(phases)('is done by its signal only while releasing, not when %s', (phase) => {
    const step = said(phase, signaled);
    if (phase !== 'releasing') return expect(step).toEqual({ actions: [], phase, rule: ignored });
    return expect(step).toEqual({
      actions: [answer('release', { ok: true, signaled_processes: 2 })],
      phase: 'released',
      rule: 'thawed and signalled',
    });
  });

  test('is never done by the signal of another generation', () => {
    const step = said('releasing', { ...signaled, generation: 6 } as AgentEvent);
    expect(step).toEqual({ actions: [], phase: 'releasing', rule: ignored });
  });
});

describe('a service', () => {
  test.each(phases)('is given only when released, not when %s', (phase) => {
    const rule = 'not before the release';
    const expected =
      phase === 'released'
        ? { actions: [{ kind: 'serve', service: 'exec' }], phase, rule: 'released' }
        : { actions: [no('request', rule)], phase, rule };
    expect(said(phase, exec)).toEqual(expected);
  });
});
