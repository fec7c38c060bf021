/**
 * agent-step: the guest agent's order of work across a fork, as a state machine without I/O.
 * Invariant: between the freeze before a snapshot and the host's release of the generation that the agent
 * answered, no workload runs and nothing is served; a fork that was refused once never serves again.
 */
import { hash } from 'node:crypto';
import type { NotifyForked, NotifyForkedReply, ReleaseReply } from '#reference/contract/reseed.ts';
import { reseedVersions } from '#reference/contract/reseed.ts';
import { type CallResult, type GeneratorCall, reportReseed } from './reseed-report.ts';

/** What needs the host's release first. */
export type Service = 'exec' | 'files' | 'configure';

export type AgentEvent =
  | { readonly kind: 'prepare-snapshot' }
  | { readonly kind: 'frozen'; readonly ok: boolean }
  | { readonly kind: 'notify-forked'; readonly request: NotifyForked }
  | { readonly kind: 'called'; readonly generation: number; readonly result: CallResult }
  | {
      readonly kind: 'repaired';
      readonly generation: number;
      readonly ok: boolean;
      readonly appliedClockStepNanos: number;
    }
  | { readonly kind: 'release'; readonly generation: number }
  | { readonly kind: 'signaled'; readonly generation: number; readonly processes: number }
  | { readonly kind: 'request'; readonly service: Service };

type Body = NotifyForkedReply | ReleaseReply;

export type AgentAction =
  | { readonly kind: 'freeze' }
  | { readonly kind: 'thaw' }
  /** To the processes that catch it, and to no other. */
  | { readonly kind: 'signal'; readonly signal: 'SIGUSR2'; readonly generation: number }
  | { readonly kind: 'call'; readonly generation: number; readonly call: GeneratorCall }
  /** Step the clock, write the generation file, configure eth0 and the resolver, mount volumes. */
  | { readonly kind: 'repair'; readonly generation: number; readonly hostWallClockNanos: number }
  | { readonly kind: 'serve'; readonly service: Service }
  | {
      readonly kind: 'reply';
      readonly to: 'prepare-snapshot' | 'notify-forked' | 'release' | 'request';
      readonly body: Body;
    };

type Phase =
  | 'running'
  | 'freezing'
  | 'frozen'
  | 'reseeding'
  | 'repairing'
  | 'replied'
  | 'releasing'
  | 'released'
  | 'refused';

/** JSON; the seed stays in it only until the generator is reseeded. */
export interface AgentState {
  readonly phase: Phase;
  /** Where a freeze that fails returns to. */
  readonly before: 'running' | 'released';
  /** The last generation that was begun; 0: none. */
  readonly generation: number;
  readonly request: NotifyForked | null;
  readonly results: readonly CallResult[];
  readonly reply: NotifyForkedReply | null;
  /** SHA-256 of each seed taken, oldest first. */
  readonly seeds: readonly string[];
}

export interface AgentStep {
  readonly state: AgentState;
  readonly actions: readonly AgentAction[];
  readonly rule: string;
}

/** Forks of forks that one memory image can go through. */
const maxSeeds = 64;

export const agentAtBoot: AgentState = {
  phase: 'running',
  before: 'running',
  generation: 0,
  request: null,
  results: [],
  reply: null,
  seeds: [],
};

/** One event. Total: what does not fit the phase is refused or, where nobody waits for an answer, ignored. */
export function stepAgent(state: AgentState, event: AgentEvent): AgentStep {
  switch (event.kind) {
    case 'prepare-snapshot':
      return prepareSnapshot(state);
    case 'frozen':
      return frozen(state, event.ok);
    case 'notify-forked':
      return notifyForked(state, event.request);
    case 'called':
      if (state.phase !== 'reseeding' || event.generation !== state.generation) return ignore(state);
      return reseed({ ...state, results: [...state.results, event.result] });
    case 'repaired':
      return repaired(state, event);
    case 'release':
      return release(state, event.generation);
    case 'signaled':
      return signaled(state, event);
    case 'request':
      if (state.phase !== 'released') return refuse(state, 'request', 'not before the release');
      return { state, actions: [{ kind: 'serve', service: event.service }], rule: 'released' };
  }
}

function ignore(state: AgentState): AgentStep {
  return { state, actions: [], rule: 'out of place: ignored' };
}

/** Answers no, and stays as it was. */
function refuse(state: AgentState, to: AnswerTo, rule: string): AgentStep {
  return { state, actions: [reply(to, { ok: false, error: rule })], rule };
}

type AnswerTo = Extract<AgentAction, { kind: 'reply' }>['to'];

function reply(to: AnswerTo, body: { ok: boolean; error?: string } | Body): AgentAction {
  return { kind: 'reply', to, body: to === 'notify-forked' ? { reseeded_rng: false, ...body } : body };
}

function prepareSnapshot(state: AgentState): AgentStep {
  const { phase } = state;
  if (phase === 'frozen') {
    return { state, actions: [reply('prepare-snapshot', { ok: true })], rule: 'frozen already' };
  }
  if (phase !== 'running' && phase !== 'released') return refuse(state, 'prepare-snapshot', `busy: ${phase}`);
  return {
    state: { ...state, phase: 'freezing', before: phase },
    actions: [{ kind: 'freeze' }],
    rule: 'freeze',
  };
}

function frozen(state: AgentState, ok: boolean): AgentStep {
  if (state.phase !== 'freezing') return ignore(state);
  if (ok) {
    const actions = [reply('prepare-snapshot', { ok: true })];
    return { state: { ...state, phase: 'frozen' }, actions, rule: 'frozen' };
  }
  const rule = 'the workload did not freeze';
  const actions = [{ kind: 'thaw' } as const, reply('prepare-snapshot', { ok: false, error: rule })];
  return { state: { ...state, phase: state.before }, actions, rule };
}

function notifyForked(state: AgentState, request: NotifyForked): AgentStep {
  if (!reseedVersions.includes(request.version)) {
    const rule = `version ${request.version} is not spoken here; spoken: ${reseedVersions}`;
    return refuse(state, 'notify-forked', rule);
  }
  if (state.phase === 'running' || state.phase === 'freezing') {
    return end(state, 'the workload was not frozen before the snapshot');
  }
  // One frozen image, one answer: a second request, the same one included, would spend a seed twice.
  if (state.phase !== 'frozen') return refuse(state, 'notify-forked', `not frozen: ${state.phase}`);
  if (request.generation <= state.generation) return end(state, 'generation is not above the last one');
  const seed = hash('sha256', request.seed);
  if (state.seeds.includes(seed)) return end(state, 'seed was used before');
  if (state.seeds.length >= maxSeeds) return end(state, 'too many forks of forks');
  const { generation } = request;
  const seeds = [...state.seeds, seed];
  return reseed({ ...state, phase: 'reseeding', generation, request, results: [], reply: null, seeds });
}

/** Refused for good: the host reaps it. */
function end(state: AgentState, rule: string): AgentStep {
  const refused: AgentState = { ...state, phase: 'refused', request: null, results: [], reply: null };
  return refuse(refused, 'notify-forked', rule);
}

function reseed(state: AgentState): AgentStep {
  const { request, results, generation } = state;
  if (request === null) return ignore(state);
  const step = reportReseed(request, results);
  if ('next' in step) {
    return { state, actions: [{ kind: 'call', generation, call: step.next }], rule: step.rule };
  }
  if (!step.reply.ok) return end(state, step.rule);
  const repair = { kind: 'repair', generation, hostWallClockNanos: request.host_wall_clock_nanos } as const;
  const done = { ...state, phase: 'repairing', request: null, results: [], reply: step.reply } as const;
  return { state: done, actions: [repair], rule: step.rule };
}

function repaired(state: AgentState, event: Extract<AgentEvent, { kind: 'repaired' }>): AgentStep {
  if (state.phase !== 'repairing' || event.generation !== state.generation || state.reply === null) {
    return ignore(state);
  }
  if (!event.ok) return end(state, 'clock, network or volumes could not be repaired');
  const body = { ...state.reply, applied_clock_step_nanos: event.appliedClockStepNanos };
  const actions = [reply('notify-forked', body)];
  return { state: { ...state, phase: 'replied', reply: null }, actions, rule: 'answered' };
}

function release(state: AgentState, generation: number): AgentStep {
  if (generation !== state.generation) return refuse(state, 'release', 'of another generation');
  // A host that was restarted asks again: nothing is thawed twice.
  if (state.phase === 'released') {
    return {
      state,
      actions: [reply('release', { ok: true, signaled_processes: 0 })],
      rule: 'released already',
    };
  }
  if (state.phase === 'releasing') return { state, actions: [], rule: 'being released: answered once it is' };
  if (state.phase !== 'replied') return refuse(state, 'release', `not answered: ${state.phase}`);
  const actions: AgentAction[] = [{ kind: 'thaw' }, { kind: 'signal', signal: 'SIGUSR2', generation }];
  return { state: { ...state, phase: 'releasing' }, actions, rule: 'released by the host' };
}

function signaled(state: AgentState, event: Extract<AgentEvent, { kind: 'signaled' }>): AgentStep {
  if (state.phase !== 'releasing' || event.generation !== state.generation) return ignore(state);
  const actions = [reply('release', { ok: true, signaled_processes: event.processes })];
  return { state: { ...state, phase: 'released' }, actions, rule: 'thawed and signalled' };
}
