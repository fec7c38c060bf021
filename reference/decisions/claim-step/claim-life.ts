/**
 * A claim's life around its seat: finalizer first, authorized Secrets only, and at the end everything that
 * it held goes by UID before its finalizer does.
 */

import { deliveredSecrets, isSystemSecret } from '../authorize-claim/claim-spec.ts';
import { fieldOf, textOf } from '../json-values.ts';
import { selectHusk } from '../select-husk/select-husk.ts';
import type { ClaimConfig, ClaimEvent, ClaimMemory, ClaimStep } from './claim-events.ts';
import { act, deleteObject, none, patchFinalizers, patchStatus, reached, readAgain } from './moves.ts';
import { type OwnerView, type Seat, seatOf } from './owner-view.ts';
import { reap } from './reap.ts';
import { stepSeat } from './seat.ts';

export function stepClaimLife(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  claim: OwnerView,
): ClaimStep {
  const { owner, pool } = event;
  const seat = seatOf(owner.uid, claim.status);
  const phase = fieldOf(claim.status, 'phase');
  if (claim.deleting) return end(config, state, event, claim, seat);
  if (phase === 'Terminating' || phase === 'Terminated') return end(config, state, event, claim, seat);
  if (!claim.finalized) {
    const finalize = patchFinalizers(config, owner, claim.resourceVersion, claim.finalizers, 'finalize');
    return act(state, finalize, 'its finalizer before anything is held');
  }
  const write = (purpose: 'fail' | 'end', fields: Readonly<Record<string, unknown>>) =>
    patchStatus(config, owner, claim.resourceVersion, purpose, fields);
  if (seat.phase === 'Ready' && isOver(claim, event.nowMs)) {
    return act(state, write('end', { phase: 'Terminating', reason: 'its time is over' }), 'its time is over');
  }
  const secrets = deliveredSecrets(claim.spec);
  const settled = seat.phase === 'Ready' || seat.phase === 'Failed';
  if (!settled) {
    const why = pool === null ? 'there is no such pool' : whyNotAuthorized(config, event, secrets);
    if (why !== null) return act(state, write('fail', { phase: 'Failed', reason: why }), why);
  }
  if (pool === null) return none(state, 'its pool is gone');
  const step = stepSeat(
    {
      config,
      event,
      pool,
      seat,
      secrets: secrets ?? [],
      snapshot: null,
      overdue: claim.createdMs === null || !(event.nowMs - claim.createdMs <= config.claimDeadlineMs),
      write: (purpose, fields) => patchStatus(config, owner, claim.resourceVersion, purpose, fields),
    },
    state,
  );
  if (seat.phase === 'Failed' && step.actions.length === 0)
    return revoke(config, step.state, event, claim, seat);
  return step;
}

/** `spec.timeout` seconds after it became Ready. */
function isOver({ spec, status }: OwnerView, nowMs: number): boolean {
  const timeout = fieldOf(spec, 'timeout');
  if (typeof timeout !== 'number') return false;
  const readyAt = Date.parse(textOf(fieldOf(status, 'readyAt')) ?? '');
  return !(nowMs - readyAt < timeout * 1000);
}

/** Secrets are delivered only if the claim's author may get them, and never the system's own. */
function whyNotAuthorized(
  config: ClaimConfig,
  { authorized }: ClaimEvent,
  secrets: readonly string[] | null,
): string | null {
  if (secrets === null) return 'its list of Secrets is unreadable';
  if (secrets.length === 0) return null;
  if (secrets.some((name) => isSystemSecret(name, config.systemSecrets)))
    return 'it names a Secret of the system';
  if (authorized === null) return 'its Secrets were never authorized';
  return secrets.every((name) => authorized.includes(name)) ? null : 'its author may not read its Secrets';
}

/** Deleted, or out of time: everything that it held goes, then it may. */
function end(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  claim: OwnerView,
  seat: Seat,
): ClaimStep {
  const { owner, ledger } = event;
  const held = ledger.filter(({ holder }) => holder === owner.uid);
  const checkpoint = held.length > 0 ? dehydrate(config, state, event, claim, seat) : null;
  if (checkpoint !== null) return checkpoint;
  const [record] = held;
  if (record !== undefined) return reap(config, state, record, 'the claim ends');
  if (!event.live) return act(state, readAgain(config), 'nothing held: read again');
  if (claim.deleting) {
    if (!claim.finalized) return none(state, 'it may go');
    const unfinalize = patchFinalizers(config, owner, claim.resourceVersion, claim.finalizers, 'unfinalize');
    return act(state, unfinalize, 'nothing is left of it');
  }
  if (fieldOf(claim.status, 'phase') === 'Terminated') return revoke(config, state, event, claim, seat);
  const terminated = patchStatus(config, owner, claim.resourceVersion, 'end', { phase: 'Terminated' });
  return act(state, terminated, 'nothing is left of it');
}

/** Its workspace is written back once, from the husk that the ledger holds for it, if that can be reached. */
function dehydrate(
  config: ClaimConfig,
  state: ClaimMemory,
  event: ClaimEvent,
  claim: OwnerView,
  seat: Seat,
): ClaimStep | null {
  if (state.dehydrated || seat.husk === null || event.pool === null) return null;
  if (
    fieldOf(claim.spec, 'checkpointOnTerminate') !== true ||
    textOf(fieldOf(claim.status, 'readyAt')) === null
  ) {
    return null;
  }
  const { pods, ledger, pool } = event;
  const holder = event.owner.uid;
  const podUid = seat.husk.pod.uid;
  const { pod } = selectHusk({ pool, pods, ledger, operation: 'dehydrate', holder, podUid });
  if (pod === null) return null;
  const call = { kind: 'dehydrate', ...reached(pod, holder), deadlineMs: config.callDeadlineMs } as const;
  return act(state, call, 'write its workspace back');
}

/** The token of a claim that ended goes too; one that is deleted takes it along by ownership. */
function revoke(
  config: ClaimConfig,
  state: ClaimMemory,
  { owner }: ClaimEvent,
  claim: OwnerView,
  { token }: Seat,
): ClaimStep {
  if (token === null) return none(state, 'ended, nothing left');
  if (!state.deleted.includes(token.uid)) {
    return act(
      state,
      deleteObject(config, 'Secret', { namespace: owner.namespace, ...token }, 'revoke'),
      'revoke',
    );
  }
  return act(
    state,
    patchStatus(config, owner, claim.resourceVersion, 'revoke', { token: null }),
    'its token is gone',
  );
}
