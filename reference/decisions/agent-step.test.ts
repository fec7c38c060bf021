/** The agent: frozen until the host releases the generation that it answered. */
import { describe, expect, test } from 'vitest';
import { type AgentAction, type AgentEvent, type AgentState, agentAtBoot, stepAgent } from './agent-step.ts';

const request = {
  version: 1,
  generation: 7,
  nonce: 'aa'.repeat(32),
  seed: '5e'.repeat(32),
  host_wall_clock_nanos: 1_795_000_000_000_000_000,
};
const snapshot: AgentEvent[] = [{ kind: 'prepare-snapshot' }, { kind: 'frozen', ok: true }];
const called = (call: string, ret: number, octets?: string): AgentEvent => ({
  kind: 'called',
  generation: 7,
  result: octets === undefined ? { call, ret, errno: null } : { call, ret, errno: null, octets },
});
const reseed: AgentEvent[] = [
  { kind: 'notify-forked', request },
  called('RNDADDENTROPY', 0),
  called('RNDRESEEDCRNG', 0),
  called('getrandom', 32, '1d'.repeat(32)),
  { kind: 'repaired', generation: 7, ok: true, appliedClockStepNanos: 0 },
];
const release: AgentEvent[] = [
  { kind: 'release', generation: 7 },
  { kind: 'signaled', generation: 7, processes: 2 },
];

function run(events: readonly AgentEvent[]): {
  state: AgentState;
  last: readonly AgentAction[];
  kinds: string[];
} {
  let state = agentAtBoot;
  let last: readonly AgentAction[] = [];
  const kinds: string[] = [];
  for (const event of events) {
    ({ state, actions: last } = stepAgent(state, event));
    kinds.push(...last.map(({ kind }) => kind));
  }
  return { state, last, kinds };
}

describe('the agent', () => {
  test('always freezes, reseeds, repairs, answers, thaws, signals and serves in this order', () => {
    const { kinds } = run([...snapshot, ...reseed, ...release, { kind: 'request', service: 'exec' }]);
    expect(kinds.join(' ')).toBe('freeze reply call call call repair reply thaw signal reply serve');
  });

  test.each<[string, AgentEvent[]]>([
    ['at boot', []],
    ['when frozen', snapshot],
    ['while it reseeds', [...snapshot, ...reseed.slice(0, 2)]],
    ['when it has answered', [...snapshot, ...reseed]],
    ['while it is released', [...snapshot, ...reseed, ...release.slice(0, 1)]],
    ['when it was snapshotted again', [...snapshot, ...reseed, ...release, ...snapshot]],
  ])('never serves %s', (_, events) => {
    for (const service of ['exec', 'files', 'configure'] as const) {
      expect(run([...events, { kind: 'request', service }]).last).toMatchObject([
        { kind: 'reply', to: 'request', body: { ok: false } },
      ]);
    }
  });

  test('refuses an unknown version by its name, and may be asked again', () => {
    const newer: AgentEvent = { kind: 'notify-forked', request: { ...request, version: 2 } };
    expect(run([...snapshot, newer]).last).toMatchObject([
      { body: { ok: false, error: 'version 2 is not spoken here; spoken: 1' } },
    ]);
    expect(run([...snapshot, newer, ...reseed]).state.phase).toBe('replied');
  });

  test('refuses a fork whose workload was never frozen', () => {
    expect(run(reseed.slice(0, 1)).state.phase).toBe('refused');
  });

  test('refuses for good once a call has failed', () => {
    const failed = [...snapshot, ...reseed.slice(0, 1), called('RNDADDENTROPY', -1)];
    expect(run(failed).last).toMatchObject([{ to: 'notify-forked', body: { ok: false } }]);
    expect(run([...failed, ...reseed, ...release]).state.phase).toBe('refused');
  });

  test('thaws only once, and answers a release that is repeated', () => {
    const { kinds, last } = run([...snapshot, ...reseed, ...release, { kind: 'release', generation: 7 }]);
    expect(kinds.filter((kind) => kind === 'thaw')).toHaveLength(1);
    expect(last).toMatchObject([{ to: 'release', body: { ok: true } }]);
  });

  test('thaws again when a freeze fails, and says so', () => {
    const { kinds, last } = run([{ kind: 'prepare-snapshot' }, { kind: 'frozen', ok: false }]);
    expect(kinds).toContain('thaw');
    expect(last.at(-1)).toMatchObject({ to: 'prepare-snapshot', body: { ok: false } });
  });

  test('never keeps the seed once the generator is reseeded', () => {
    const { state } = run([...snapshot, ...reseed.slice(0, 4)]);
    expect(JSON.stringify(state)).not.toContain(request.seed);
  });

  test('refuses the fork that cannot be remembered any more', () => {
    let state = agentAtBoot;
    const go = (events: readonly AgentEvent[]) => {
      for (const event of events) ({ state } = stepAgent(state, event));
    };
    const numbered = (event: AgentEvent, generation: number): AgentEvent => {
      if (event.kind === 'notify-forked') {
        const seed = generation.toString(16).padStart(64, '0');
        return { ...event, request: { ...request, generation, seed } };
      }
      return 'generation' in event ? { ...event, generation } : event;
    };
    for (let generation = 1; generation <= 65; generation++) {
      go([...snapshot, ...reseed, ...release].map((event) => numbered(event, generation)));
      expect(state.phase).toBe(generation <= 64 ? 'released' : 'refused');
    }
  });
});
