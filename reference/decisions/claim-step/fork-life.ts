/**
 * A fork's life: bind the source by UID, take its snapshot once, then a seat for each child.
 * Invariant: source and children are reached by the UIDs of the ledger; a fork of a claim that holds secrets
 * is refused unless inheritance was allowed.
 */
import { deliveredSecrets } from '../authorize-claim/claim-spec.ts';
import { fieldOf, listOf, objectOf, textOf } from '../json-values.ts';
import { selectHusk } from '../select-husk/select-husk.ts';
import type { ClaimConfig, ClaimEvent, ClaimMemory, ClaimStep } from './claim-events.ts';
import { act, none, patchFinalizers, patchStatus, reached, readAgain } from './moves.ts';
import { type OwnerView, objectNameOf, type Seat, seatOf } from './owner-view.ts';
import { reap } from './reap.ts';
import { stepSeat } from './seat.ts';

/** More children than this are refused. */
const maxReplicas = 64;

export function stepForkLife(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  fork: OwnerView,
): ClaimStep {
  const { owner, ledger } = event;
  const failed = fieldOf(fork.status, 'phase') === 'Failed';
  if (fork.deleting || failed) {
    const held = ledger.find(({ holder }) => holder?.startsWith(`${owner.uid}.`) === true);
    if (held !== undefined) return reap(config, state, held, 'the fork ends');
    if (!fork.deleting || !fork.finalized) return none(state, 'nothing is left of it');
    if (!event.live) return act(state, readAgain(config), 'nothing held: read again');
    const { finalizers, resourceVersion } = fork;
    return act(
      state,
      patchFinalizers(config, owner, resourceVersion, finalizers, 'unfinalize'),
      'nothing is left of it',
    );
  }
  if (!fork.finalized) {
    const { finalizers, resourceVersion } = fork;
    return act(
      state,
      patchFinalizers(config, owner, resourceVersion, finalizers, 'finalize'),
      'its finalizer before anything is held',
    );
  }
  const digest = textOf(fieldOf(fork.status, 'forkSnapshotTaken'));
  return digest === null
    ? stepSnapshot(config, state, event, fork)
    : stepChildren(config, state, event, fork, digest);
}

const failing = (
  config: ClaimConfig,
  state: ClaimMemory,
  { owner }: ClaimEvent,
  fork: OwnerView,
  reason: string,
): ClaimStep => {
  const write = patchStatus(config, owner, fork.resourceVersion, 'fail', { phase: 'Failed', reason });
  return act(state, write, reason);
};

/** Exactly once: the husk keeps the fork's UID and answers a repeated call with the same snapshot. */
function stepSnapshot(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  fork: OwnerView,
): ClaimStep {
  const { owner, pool, pods, ledger } = event;
  const source = fieldOf(fork.status, 'source');
  const claim = textOf(fieldOf(source, 'claim'));
  const pod = objectNameOf(fieldOf(source, 'pod'));
  const attempts = fieldOf(fork.status, 'attempts') ?? 0;
  // What is no number leaves no attempt.
  const tried = typeof attempts === 'number' ? attempts : Number.POSITIVE_INFINITY;
  const write = (purpose: 'bind-source' | 'snapshot-taken', fields: Readonly<Record<string, unknown>>) =>
    patchStatus(config, owner, fork.resourceVersion, purpose, fields);
  if (claim === null || pod === null) return bindSource(config, state, event, fork);
  if (state.snapshot !== null) {
    return act(state, write('snapshot-taken', { forkSnapshotTaken: state.snapshot }), 'note the snapshot');
  }
  if (state.snapshotAttempt === 0 || state.snapshotAttempt !== tried) {
    if (!(tried < config.maxAttempts)) return failing(config, state, event, fork, 'attempts are used up');
    const next = { ...state, snapshotAttempt: tried + 1 };
    return act(next, write('bind-source', { attempts: tried + 1 }), 'note the attempt before the call');
  }
  if (pool === null) return failing(config, state, event, fork, 'there is no such pool');
  const found = selectHusk({ pool, pods, ledger, operation: 'fork-source', holder: claim, podUid: pod.uid });
  if (found.pod === null) {
    if (!event.live) return act(state, readAgain(config), 'the source may not be reached: read again');
    return failing(config, state, event, fork, 'the source may not be reached');
  }
  const call = { kind: 'snapshot', ...reached(found.pod, claim), deadlineMs: config.callDeadlineMs } as const;
  return act({ ...state, snapshotAttempt: -1 }, call, 'take the snapshot');
}

function bindSource(config: ClaimConfig, state: ClaimMemory, event: ClaimEvent, fork: OwnerView): ClaimStep {
  const { source, owner } = event;
  const metadata = fieldOf(source, 'metadata');
  const claim = textOf(fieldOf(metadata, 'uid'));
  if (claim === null || fieldOf(metadata, 'namespace') !== owner.namespace) {
    if (!event.live) return act(state, readAgain(config), 'no source: read again');
    return failing(config, state, event, fork, 'there is no such source');
  }
  const pod = objectNameOf(fieldOf(fieldOf(fieldOf(source, 'status'), 'husk'), 'pod'));
  if (fieldOf(fieldOf(source, 'status'), 'phase') !== 'Ready' || pod === null) {
    return failing(config, state, event, fork, 'the source is not Ready');
  }
  const secrets = deliveredSecrets(fieldOf(source, 'spec'));
  if ((secrets === null || secrets.length > 0) && fieldOf(fork.spec, 'allowSecretInheritance') !== true) {
    return failing(config, state, event, fork, 'the source holds secrets, and inheritance is not allowed');
  }
  const bound = { source: { claim, pod } };
  const write = patchStatus(config, owner, fork.resourceVersion, 'bind-source', bound);
  return act(state, write, 'bind the source by UID');
}

/** One child after the other; each is a seat of its own, with a holder of its own in the ledger. */
function stepChildren(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  fork: OwnerView,
  digest: string,
): ClaimStep {
  const { owner, pool, nowMs } = event;
  const replicas = fieldOf(fork.spec, 'replicas') ?? 1;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 1 || replicas > maxReplicas) {
    return failing(config, state, event, fork, `replicas is not an integer from 1 to ${maxReplicas}`);
  }
  if (pool === null) return failing(config, state, event, fork, 'there is no such pool');
  const stored = listOf(fieldOf(fork.status, 'forks'));
  const seats: Seat[] = Array.from({ length: replicas }, (_, index) =>
    seatOf(`${owner.uid}.${index}`, stored[index]),
  );
  const overdue = fork.createdMs === null || !(nowMs - fork.createdMs <= config.claimDeadlineMs);
  for (const [index, seat] of seats.entries()) {
    const write = (purpose: 'intend' | 'take-over' | 'spend' | 'publish' | 'fail', fields: object) => {
      const forks = seats.map((_, at) => ({ ...objectOf(stored[at]), ...(at === index ? fields : {}) }));
      return patchStatus(config, owner, fork.resourceVersion, purpose, { forks });
    };
    const step = stepSeat(
      { config, event, pool, seat, secrets: [], snapshot: digest, overdue, write },
      state,
    );
    if (step.actions.length > 0) return step;
  }
  const phase = seats.some((seat) => seat.phase === 'Ready') ? 'Ready' : 'Failed';
  if (fieldOf(fork.status, 'phase') === phase) return none(state, 'every child is settled');
  return act(
    state,
    patchStatus(config, owner, fork.resourceVersion, 'publish', { phase }),
    'every child is settled',
  );
}
