/**
 * activation-step: the host's order of work for the forks that it activates, as a state machine without
 * I/O: reserve, notify, gate, insert, release, and only then deliver.
 * Invariant: nothing is released or delivered unless the store durably holds the fork's witness; what is
 * not admitted is reaped.
 * Seeds, nonces and generations pass through the same durable insert-if-absent port before they are sent:
 * no crash reuses one.
 */
import { hash } from 'node:crypto';
import type { NotifyForked, Release } from '#reference/contract/reseed.ts';
import { type GateConfig, type HostWitness, type Insertion, judgeReseed } from './reseed-gate.ts';
import { isGeneration, isNonce, isSeed } from './reseed-proof.ts';

export interface ActivationConfig extends GateConfig {
  /** Forks that are known at once; one more is refused. */
  readonly maxForks: number;
}

export type Delivery = 'token' | 'secrets' | 'exec' | 'files';

export interface ForkBegun {
  readonly kind: 'fork';
  /** Unique per VM of this host. */
  readonly fork: string;
  /** Digest of the snapshot. */
  readonly snapshot: string;
  readonly generation: number;
  /** Fresh from the host's generator, hex. */
  readonly seed: string;
  readonly nonce: string;
  readonly hostWallClockNanos: number;
}

export interface RunningFork {
  readonly fork: string;
  readonly snapshot: string;
  readonly generation: number;
  /** The store holds a witness that was inserted for this generation. */
  readonly admitted: boolean;
}

export type ActivationEvent =
  | ForkBegun
  | { readonly kind: 'stored'; readonly fork: string; readonly purpose: Purpose; readonly answer: Insertion }
  | {
      readonly kind: 'response';
      readonly fork: string;
      readonly line: string;
      readonly elapsedMs: number;
      readonly witness: HostWitness | null;
    }
  | { readonly kind: 'deadline'; readonly fork: string }
  | { readonly kind: 'released'; readonly fork: string; readonly generation: number; readonly ok: boolean }
  | { readonly kind: 'deliver'; readonly fork: string; readonly what: Delivery }
  | { readonly kind: 'gone'; readonly fork: string }
  | { readonly kind: 'restart'; readonly running: readonly RunningFork[] };

/** `reserve`: what is about to be sent was never sent; `witness`: what came back was never seen. */
export type Purpose = 'reserve' | 'witness';

export type ActivationAction =
  | {
      readonly kind: 'insert';
      readonly fork: string;
      readonly purpose: Purpose;
      readonly snapshot: string;
      readonly generation: number;
      readonly keys: readonly string[];
    }
  | { readonly kind: 'notify-forked'; readonly fork: string; readonly message: NotifyForked }
  /** A fork has one deadline: arming it anew replaces it. */
  | { readonly kind: 'arm-deadline'; readonly fork: string; readonly afterMs: number }
  | { readonly kind: 'release'; readonly fork: string; readonly message: Release }
  | { readonly kind: 'deliver' | 'deny'; readonly fork: string; readonly what: Delivery }
  | { readonly kind: 'reap'; readonly fork: string };

interface Fork {
  phase: 'reserving' | 'notified' | 'inserting' | 'releasing' | 'released';
  readonly snapshot: string;
  readonly generation: number;
  readonly nonce: string;
  /** Until it is sent. */
  begun: ForkBegun | null;
  response: { line: string; elapsedMs: number; witness: HostWitness | null } | null;
}

/** JSON; changed in place and handed back. Refused forks leave it. */
export interface ActivationState {
  forks: Record<string, Fork>;
}

export interface ActivationStep {
  readonly state: ActivationState;
  readonly actions: readonly ActivationAction[];
  readonly rule: string;
}

export function activationAtStart(): ActivationState {
  return { forks: {} };
}

function known(state: ActivationState, fork: string): Fork | undefined {
  return Object.hasOwn(state.forks, fork) ? state.forks[fork] : undefined;
}

/** One event. Total: an event of a fork that is not known, or not at that point, is ignored. */
export function stepActivation(
  config: ActivationConfig,
  state: ActivationState,
  event: ActivationEvent,
): ActivationStep {
  if (event.kind === 'fork') return begin(config, state, event);
  if (event.kind === 'restart') return restart(config, event.running);
  const fork = known(state, event.fork);
  if (event.kind === 'deliver') {
    const open = fork?.phase === 'released';
    const action = { kind: open ? 'deliver' : 'deny', fork: event.fork, what: event.what } as const;
    return { state, actions: [action], rule: open ? 'released' : 'not before the release' };
  }
  if (fork === undefined) return { state, actions: [], rule: 'no such fork: ignored' };
  switch (event.kind) {
    case 'stored':
      return event.purpose === 'reserve'
        ? reserved(config, state, event.fork, fork, event.answer)
        : admit(config, state, event.fork, fork, event.answer);
    case 'response':
      return respond(config, state, event, fork);
    case 'deadline':
      if (fork.phase === 'released') return { state, actions: [], rule: 'released in time' };
      return reap(state, event.fork, `deadline while ${fork.phase}`);
    case 'released':
      if (fork.phase !== 'releasing') return { state, actions: [], rule: 'out of place: ignored' };
      if (!event.ok || event.generation !== fork.generation) {
        return reap(state, event.fork, 'the agent refused the release');
      }
      fork.phase = 'released';
      return { state, actions: [], rule: 'released' };
    case 'gone':
      return reap(state, event.fork, 'the VM is gone');
  }
}

function reap(state: ActivationState, fork: string, rule: string): ActivationStep {
  delete state.forks[fork];
  return { state, actions: [{ kind: 'reap', fork }], rule };
}

function begin(config: ActivationConfig, state: ActivationState, event: ForkBegun): ActivationStep {
  const { fork, snapshot, generation, seed, nonce } = event;
  if (known(state, fork) !== undefined) return { state, actions: [], rule: 'fork is known already: ignored' };
  if (Object.keys(state.forks).length >= config.maxForks) return reap(state, fork, 'too many forks');
  if (!isGeneration(generation)) return reap(state, fork, 'generation is no positive integer below 2^53');
  if (!isSeed(seed)) return reap(state, fork, 'seed is too short or too long');
  if (!isNonce(nonce)) return reap(state, fork, 'nonce is not 32 octets');
  if (seed === nonce) return reap(state, fork, 'seed and nonce are one');
  state.forks[fork] = { phase: 'reserving', snapshot, generation, nonce, begun: event, response: null };
  // Only digests are stored: the store outlives the fork, the seed must not.
  const keys = [
    `generation:${generation}`,
    `random:${hash('sha256', seed)}`,
    `random:${hash('sha256', nonce)}`,
  ];
  const insert = { kind: 'insert', fork, purpose: 'reserve', snapshot, generation, keys } as const;
  const deadline = { kind: 'arm-deadline', fork, afterMs: config.deadlineMs } as const;
  return { state, actions: [deadline, insert], rule: 'reserve seed, nonce and generation' };
}

function reserved(
  config: ActivationConfig,
  state: ActivationState,
  id: string,
  fork: Fork,
  answer: Insertion,
): ActivationStep {
  const { begun } = fork;
  if (begun === null) return { state, actions: [], rule: 'out of place: ignored' };
  if (answer !== 'inserted') {
    return reap(
      state,
      id,
      answer === 'present' ? 'seed, nonce or generation was used before' : `store: ${answer}`,
    );
  }
  fork.phase = 'notified';
  fork.begun = null;
  const { generation, nonce, seed, hostWallClockNanos } = begun;
  const message = { version: 1, generation, nonce, seed, host_wall_clock_nanos: hostWallClockNanos };
  const deadline = { kind: 'arm-deadline', fork: id, afterMs: config.deadlineMs } as const;
  return { state, actions: [{ kind: 'notify-forked', fork: id, message }, deadline], rule: 'notify' };
}

function respond(
  config: ActivationConfig,
  state: ActivationState,
  event: Extract<ActivationEvent, { kind: 'response' }>,
  fork: Fork,
): ActivationStep {
  if (fork.phase === 'reserving') return reap(state, event.fork, 'the guest spoke before it was asked');
  if (fork.phase !== 'notified') return { state, actions: [], rule: 'out of place: ignored' };
  fork.response = { line: event.line, elapsedMs: event.elapsedMs, witness: event.witness };
  const judged = judge(config, fork, null);
  if (judged.verdict !== 'insert') return reap(state, event.fork, judged.rule);
  fork.phase = 'inserting';
  const { snapshot, keys } = judged.insert;
  const { generation } = fork;
  const insert = {
    kind: 'insert',
    fork: event.fork,
    purpose: 'witness',
    snapshot,
    generation,
    keys,
  } as const;
  return { state, actions: [insert], rule: judged.rule };
}

function judge(
  config: ActivationConfig,
  { snapshot, generation, nonce, response }: Fork,
  insertion: Insertion | null,
) {
  const request = { snapshot, generation, nonce };
  const { line, elapsedMs, witness } = response ?? { line: null, elapsedMs: 0, witness: null };
  return judgeReseed(config, { request, response: line, elapsedMs, witness, insertion });
}

function admit(
  config: ActivationConfig,
  state: ActivationState,
  id: string,
  fork: Fork,
  answer: Insertion,
): ActivationStep {
  if (fork.phase !== 'inserting') return { state, actions: [], rule: 'out of place: ignored' };
  const judged = judge(config, fork, answer);
  if (judged.verdict !== 'admit') return reap(state, id, judged.rule);
  fork.phase = 'releasing';
  fork.response = null;
  return { state, actions: releaseActions(config, id, fork.generation), rule: judged.rule };
}

function releaseActions(config: ActivationConfig, fork: string, generation: number): ActivationAction[] {
  return [
    { kind: 'release', fork, message: { generation } },
    { kind: 'arm-deadline', fork, afterMs: config.deadlineMs },
  ];
}

/**
 * After kill -9 the store alone is believed: a fork whose witness it holds is released again, every other
 * one is reaped.
 */
function restart(config: ActivationConfig, running: readonly RunningFork[]): ActivationStep {
  const state = activationAtStart();
  const actions: ActivationAction[] = [];
  for (const { fork: id, snapshot, generation, admitted } of running) {
    if (!admitted || !isGeneration(generation)) {
      actions.push({ kind: 'reap', fork: id });
      continue;
    }
    state.forks[id] = { phase: 'releasing', snapshot, generation, nonce: '', begun: null, response: null };
    actions.push(...releaseActions(config, id, generation));
  }
  return { state, actions, rule: 'what the store does not hold is reaped' };
}
