/**
 * claim-step: the life of claims, forks and terminations as a state machine without I/O. The controller
 * reads, asks for the one next write or call, does it, reads again.
 * Invariant: whatever was read, however old, each write carries the version that was read and each deletion
 * the UID that was meant; nothing that this process merely believes ever frees a pod or repeats a delivery
 * elsewhere. Safety rests on the API server's optimistic locking alone; leadership only saves work.
 */
import type { ClaimConfig, ClaimEvent, ClaimMemory, ClaimStep, Outcome } from './claim-events.ts';
import { stepClaimLife } from './claim-life.ts';
import { stepForkLife } from './fork-life.ts';
import { act, none, readAgain } from './moves.ts';
import { ownerView } from './owner-view.ts';
import { reap } from './reap.ts';

export const memoryAtStart: ClaimMemory = {
  attempt: null,
  token: null,
  acting: null,
  deleted: [],
  dehydrated: false,
  snapshot: null,
  snapshotAttempt: 0,
};

/** No date is further from 1970 (ECMA-262, 21.4.1.1). */
const latestMs = 8.64e15;

/** One event, at most one action. Total. */
export function stepClaim(config: ClaimConfig, before: ClaimMemory, event: ClaimEvent): ClaimStep {
  if (!event.leading) return none(memoryAtStart, 'not leading: what was in flight is given up');
  const state = event.last === null ? before : remember(before, event.last);
  if (!(Math.abs(event.nowMs) <= latestMs)) return none(state, 'the clock is unreadable: nothing is done');
  const { owner, ledger } = event;
  const view = ownerView(event.object, owner.uid);
  if (view !== null) {
    return owner.kind === 'SandboxClaim'
      ? stepClaimLife(config, state, event, view)
      : stepForkLife(config, state, event, view);
  }
  if (!event.live) return act(state, readAgain(config), 'it is not there: read again');
  const held = ledger.find(
    ({ holder }) => holder === owner.uid || holder?.startsWith(`${owner.uid}.`) === true,
  );
  if (held === undefined) return none(state, 'gone, nothing left');
  return reap(config, state, held, 'its holder is gone');
}

/** What the outcome of the action before says. */
function remember(state: ClaimMemory, last: Outcome): ClaimMemory {
  switch (last.of) {
    case 'write':
      return rememberWrite(state, last);
    case 'dial':
      return rememberDial(state, last);
    case 'deliver':
      if (state.attempt?.podUid !== last.podUid) return state;
      return {
        ...state,
        attempt: { ...state.attempt, progress: last.result === 'done' ? 'delivered' : 'unclear' },
      };
    case 'dehydrate':
      return { ...state, dehydrated: true };
    case 'snapshot':
      return { ...state, snapshot: last.result === 'done' ? last.digest : null };
  }
}

function rememberWrite(state: ClaimMemory, last: Extract<Outcome, { of: 'write' }>): ClaimMemory {
  if (last.purpose === 'token' && last.result === 'done' && last.created !== null && state.acting !== null) {
    return { ...state, token: { holder: state.acting, ...last.created } };
  }
  const { uid } = last;
  const deletes = last.purpose === 'delete-pod' || last.purpose === 'revoke';
  if (!deletes || uid === null || last.result === 'unknown' || last.result === 'invalid') return state;
  return { ...state, deleted: [...state.deleted.filter((one) => one !== uid), uid].slice(-maxDeleted) };
}

/** Deletions that are remembered: one is forgotten at worst and done again. */
const maxDeleted = 64;

function rememberDial(state: ClaimMemory, last: Extract<Outcome, { of: 'dial' }>): ClaimMemory {
  const { attempt } = state;
  if (attempt === null || attempt.podUid !== last.podUid || attempt.progress !== 'intended') return state;
  if (last.result !== 'proved') return { ...state, attempt: { ...attempt, progress: 'unreachable' } };
  if (last.holds === null) return { ...state, attempt: { ...attempt, progress: 'proved' } };
  // The husk was activated already: by an attempt whose answer was lost, or for somebody else.
  const progress = last.holds === attempt.holder ? 'delivered' : 'unreachable';
  return { ...state, attempt: { ...attempt, fresh: false, progress } };
}
