/**
 * findings.md F6, Vulnerable: "the host gate, present in all engines, believes that boolean". The host
 * notifies each fork with the seed that it drew, believes the reply, and delivers. Not observed, so taken
 * in its favour: a deadline, and that a restart reaps.
 */
import type { activationStep } from '../../protocol/activation-step.ts';
import type { Bind, InputOf, OutputOf } from '../../protocol/decision.ts';
import { reportsSuccess } from './reseed-gate.ts';

type Event = InputOf<typeof activationStep>['event'];
type Output = OutputOf<typeof activationStep>;
type State = Readonly<Record<string, 'notified' | 'ready'>>;

function without(state: State, fork: string): State {
  const { [fork]: _gone, ...rest } = state;
  return rest;
}

function step(state: State, event: Exclude<Event, { kind: 'restart' }>, deadlineMs: number): Output {
  const { fork } = event;
  const phase = state[fork];
  const reap = (rule: string): Output => ({
    state: without(state, fork),
    actions: [{ kind: 'reap', fork }],
    rule,
  });
  switch (event.kind) {
    case 'fork': {
      const { generation, nonce, seed, hostWallClockNanos } = event;
      const message = { version: 1, generation, nonce, seed, host_wall_clock_nanos: hostWallClockNanos };
      return {
        state: { ...state, [fork]: 'notified' },
        actions: [
          { kind: 'notify-forked', fork, message },
          { kind: 'arm-deadline', fork, afterMs: deadlineMs },
        ],
        rule: 'notify',
      };
    }
    case 'response':
      if (phase !== 'notified') return { state, actions: [], rule: 'not waited for' };
      if (event.elapsedMs > deadlineMs || !reportsSuccess(event.line)) return reap('no reseed reported');
      return {
        state: { ...state, [fork]: 'ready' },
        actions: [],
        rule: 'the agent says that it reseeded',
      };
    case 'deadline':
      return phase === 'notified' ? reap('no response') : { state, actions: [], rule: 'answered in time' };
    case 'deliver': {
      const kind = phase === 'ready' ? 'deliver' : 'deny';
      return { state, actions: [{ kind, fork, what: event.what }], rule: phase ?? 'no such fork' };
    }
    case 'gone':
      return phase === undefined ? { state, actions: [], rule: 'no such fork' } : reap('the VM is gone');
    default:
      return { state, actions: [], rule: 'not known to this host' };
  }
}

export const bind: Bind<typeof activationStep> = ({ deadlineMs }) => {
  return ({ state, event }) => {
    if (event.kind !== 'restart') return step((state ?? {}) as State, event, deadlineMs);
    const actions = event.running.map(({ fork }) => ({ kind: 'reap' as const, fork }));
    return { state: {}, actions, rule: 'a restart reaps what it finds' };
  };
};
