/**
 * findings.md F6, Published: on `notify_forked` the agent reseeds and reports; there is no release, so what
 * the host asks for is served. The workload is not frozen: facts.md, "A running child of the guest made
 * 22–35 duplicate reads before the agent's reseed".
 */
import type { agentStep } from '../../protocol/agent-step.ts';
import type { Bind, Bound, InputOf, OutputOf } from '../../protocol/decision.ts';
import type { reseedReport } from '../../protocol/reseed-report.ts';
import { bind as bindReport } from './reseed-report.ts';

type Event = InputOf<typeof agentStep>['event'];
type Action = OutputOf<typeof agentStep>['actions'][number];
type Result = InputOf<typeof reseedReport>['results'][number];

interface State {
  readonly request: Extract<Event, { kind: 'notify-forked' }>['request'] | null;
  readonly results: readonly Result[];
}

/** The agent around one report: vulnerable and published differ in the report alone. */
export function agentAround(report: Bound<typeof reseedReport>): Bind<typeof agentStep> {
  const proceed = (state: State) => {
    if (state.request === null) return { state, actions: [], rule: 'no fork to report' };
    const { generation, nonce, seed } = state.request;
    const { next, reply, rule } = report({
      request: { generation, nonce, seed },
      results: [...state.results],
    });
    const actions: Action[] = [];
    if (next !== undefined) actions.push({ kind: 'call', generation, call: next });
    if (reply?.ok === true) actions.push({ kind: 'signal', signal: 'SIGUSR2', generation });
    if (reply !== undefined) actions.push({ kind: 'reply', to: 'notify-forked', body: reply });
    return { state, actions, rule };
  };
  return () => (input) => {
    const state = (input.state ?? { request: null, results: [] }) as State;
    const { event } = input;
    switch (event.kind) {
      case 'prepare-snapshot':
        return {
          state,
          actions: [{ kind: 'reply', to: 'prepare-snapshot', body: { ok: true } }],
          rule: 'nothing is frozen',
        };
      case 'notify-forked':
        return proceed({ request: event.request, results: [] });
      case 'called':
        return proceed({ ...state, results: [...state.results, event.result] });
      case 'request':
        return { state, actions: [{ kind: 'serve', service: event.service }], rule: 'asked by the host' };
      default:
        return { state, actions: [], rule: 'not known to this agent' };
    }
  };
}

export const bind = agentAround(bindReport({}));
