/**
 * A seat's life: mark a warm husk, label it, note the intent, dial, deliver, publish.
 * Invariant: of one holder's secrets the first octet goes to a pod only after the intent for that pod stood
 * in the status, written by this process under the resourceVersion that it had read; and no other pod is
 * intended unless the process that intended the first one knows that nothing was delivered, and nobody took
 * over since.
 */
import { claimLabel, type ObjectName } from '#reference/contract/husk.ts';
import { isEnding, labelOf, podNameOf } from '../select-husk/pod-view.ts';
import { type Selection, selectHusk } from '../select-husk/select-husk.ts';
import type {
  Attempt,
  ClaimAction,
  ClaimConfig,
  ClaimEvent,
  ClaimMemory,
  ClaimStep,
} from './claim-events.ts';
import { act, createToken, labelPod, markRecord, none, reached, readAgain } from './moves.ts';
import type { Seat } from './owner-view.ts';
import { reap } from './reap.ts';

/** What a seat needs of its owner. */
export interface SeatContext {
  readonly config: ClaimConfig;
  readonly event: ClaimEvent;
  readonly pool: ObjectName;
  readonly seat: Seat;
  readonly secrets: readonly string[];
  readonly snapshot: string | null;
  /** The claim may wait no longer for a husk. */
  readonly overdue: boolean;
  /** A write of this seat's fields under the resourceVersion that was read. */
  write(purpose: 'intend' | 'take-over' | 'spend' | 'publish' | 'fail', fields: SeatFields): ClaimAction;
}

export type SeatFields = Readonly<Record<string, unknown>>;

export function stepSeat(context: SeatContext, state: ClaimMemory): ClaimStep {
  const { seat, event, config } = context;
  const mine = event.ledger.filter(({ holder }) => holder === seat.holder);
  const settled = seat.phase === 'Ready' || seat.phase === 'Failed';
  const kept = seat.phase === 'Failed' ? null : (seat.husk?.pod.uid ?? null);
  // Before the seat is settled another process may be about to intend what this one believes to be idle.
  const leftover = mine.find(({ pod }) => seat.spent.includes(pod.uid) || (settled && pod.uid !== kept));
  if (leftover !== undefined) return reap(config, state, leftover, settled ? 'not in use' : 'given up');
  if (seat.phase === 'Failed') return none(state, 'failed, nothing left');
  if (seat.phase === 'Ready') return keepReady(context, state);
  if (seat.husk !== null) return pursue(context, state, seat.husk);
  if (seat.attempts >= config.maxAttempts) return fail(context, state, 'attempts are used up');
  const candidate = [...mine].sort((a, b) => (a.pod.uid < b.pod.uid ? -1 : 1))[0];
  if (candidate !== undefined) return intend(context, state, candidate.pod);
  if (context.overdue) return fail(context, state, 'no husk in time');
  return mark(context, state);
}

function fail({ write }: SeatContext, state: ClaimMemory, reason: string): ClaimStep {
  return act(state, write('fail', { phase: 'Failed', reason }), reason);
}

/** What a cache does not show may be there: asks the API server before it concludes. */
function lookAgain({ config, event }: SeatContext, state: ClaimMemory, rule: string): ClaimStep | null {
  return event.live ? null : act(state, readAgain(config), `${rule}: read again`);
}

function keepReady(context: SeatContext, state: ClaimMemory): ClaimStep {
  const { seat, event } = context;
  const pod = event.pods.find((one) => podNameOf(one)?.uid === seat.husk?.pod.uid);
  if (pod !== undefined && !isEnding(pod)) return none(state, 'served');
  return lookAgain(context, state, 'its husk is gone') ?? fail(context, state, 'its husk is gone');
}

function mark(context: SeatContext, state: ClaimMemory): ClaimStep {
  const { config, event, seat, pool } = context;
  const { pods, ledger } = event;
  const { holder } = seat;
  const selection = selectHusk({ pool, pods, ledger, operation: 'activate', holder, podUid: null });
  const record = ledger.find(({ pod }) => pod.uid === selection.pod?.uid);
  if (record === undefined) {
    return act(state, { kind: 'wait', afterMs: config.retryAfterMs }, selection.rule);
  }
  return act(state, markRecord(config, record, holder), 'mark it for this holder alone');
}

function reach({ event, seat, pool }: SeatContext, pod: ObjectName): Selection {
  const { pods, ledger } = event;
  const { holder } = seat;
  return selectHusk({ pool, pods, ledger, operation: 'activate', holder, podUid: pod.uid });
}

/** The husk is marked: label it, make the token, and note the intent. */
function intend(context: SeatContext, state: ClaimMemory, pod: ObjectName): ClaimStep {
  const { config, event, seat } = context;
  const { pod: found, refusals } = reach(context, pod);
  if (found === null) {
    const why = refusals.find(({ pod: name }) => name === `${pod.namespace}/${pod.name}`)?.rule ?? 'gone';
    return (
      lookAgain(context, state, why) ??
      act(state, context.write('spend', spending(seat, pod)), `its husk may not be reached (${why})`)
    );
  }
  const labelled = event.pods.find((one) => podNameOf(one)?.uid === pod.uid);
  if (labelOf(labelled, claimLabel) !== seat.holder) {
    return act(state, labelPod(config, found, seat.holder), 'label it under the version that was judged');
  }
  const token = seat.token ?? (state.token?.holder === seat.holder ? state.token : null);
  if (token === null) {
    return act({ ...state, acting: seat.holder }, createToken(config, event.owner), 'make its token');
  }
  const number = seat.attempts + 1;
  const attempt: Attempt = {
    holder: seat.holder,
    podUid: pod.uid,
    number,
    fresh: true,
    progress: 'intended',
  };
  const husk = { pod, attempt: number, by: config.identity };
  const { name, uid } = token;
  const fields = { phase: 'Restoring', husk, attempts: number, token: { name, uid } };
  return act({ ...state, attempt }, context.write('intend', fields), 'note the intent before the first dial');
}

function spending(seat: Seat, pod: ObjectName): SeatFields {
  return { phase: 'Pending', husk: null, attempts: seat.attempts + 1, spent: [...seat.spent, pod.uid] };
}

/** An intent stands: it is this process's own, or it is taken over, one attempt further. */
function pursue(context: SeatContext, state: ClaimMemory, husk: NonNullable<Seat['husk']>): ClaimStep {
  const { config, seat } = context;
  const { attempt } = state;
  const mine =
    husk.by === config.identity &&
    attempt !== null &&
    attempt.holder === seat.holder &&
    attempt.podUid === husk.pod.uid &&
    attempt.number === husk.attempt;
  if (!mine) return takeOver(context, state, husk);
  switch (attempt.progress) {
    case 'intended':
      return dial(context, state, husk.pod, attempt);
    case 'unreachable':
      if (!attempt.fresh) return fail(context, state, 'its husk cannot be reached and may hold its secrets');
      return act(
        state,
        context.write('spend', spending(seat, husk.pod)),
        'nothing was delivered: another husk',
      );
    case 'proved':
      return deliver(context, state, husk.pod, attempt);
    case 'unclear':
      return takeOver(context, state, husk);
    case 'delivered': {
      const endpoint = endpointOf(context, husk.pod);
      if (endpoint === null) return fail(context, state, 'its husk is gone');
      return act(state, context.write('publish', { phase: 'Ready', ...endpoint }), 'publish');
    }
  }
}

/** Nobody knows what the attempt before came to: the same pod, or none. */
function takeOver(context: SeatContext, state: ClaimMemory, husk: NonNullable<Seat['husk']>): ClaimStep {
  const { config, seat } = context;
  if (seat.attempts >= config.maxAttempts) return fail(context, state, 'deliveries are used up');
  const number = Math.max(seat.attempts, husk.attempt) + 1;
  const { pod } = husk;
  const attempt: Attempt = {
    holder: seat.holder,
    podUid: pod.uid,
    number,
    fresh: false,
    progress: 'intended',
  };
  const fields = { husk: { pod, attempt: number, by: config.identity }, attempts: number };
  return act({ ...state, attempt }, context.write('take-over', fields), 'the same pod, one attempt further');
}

function dial(context: SeatContext, state: ClaimMemory, pod: ObjectName, attempt: Attempt): ClaimStep {
  const { pod: found } = reach(context, pod);
  if (found === null) {
    const again = lookAgain(context, state, 'its husk may not be reached');
    if (again !== null) return again;
    return pursueUnreachable(context, { ...state, attempt: { ...attempt, progress: 'unreachable' } });
  }
  const { holder } = context.seat;
  const deadlineMs = context.config.callDeadlineMs;
  return act(state, { kind: 'dial', ...reached(found, holder), deadlineMs }, 'dial: who are you?');
}

function pursueUnreachable(context: SeatContext, state: ClaimMemory): ClaimStep {
  const { husk } = context.seat;
  return husk === null ? none(state, 'no intent') : pursue(context, state, husk);
}

/** From here on nobody can say that the pod has seen nothing. */
function deliver(context: SeatContext, state: ClaimMemory, pod: ObjectName, attempt: Attempt): ClaimStep {
  const { seat, config, secrets, snapshot } = context;
  const { pod: found } = reach(context, pod);
  if (found === null || seat.token === null) {
    return pursueUnreachable(context, { ...state, attempt: { ...attempt, progress: 'unreachable' } });
  }
  const begun: Attempt = { ...attempt, fresh: false, progress: 'unclear' };
  return act(
    { ...state, attempt: begun },
    {
      kind: 'deliver',
      ...reached(found, seat.holder),
      secrets,
      token: seat.token,
      snapshot,
      deadlineMs: config.callDeadlineMs,
    },
    'deliver to the pod that proved to be it',
  );
}

function endpointOf(context: SeatContext, pod: ObjectName): SeatFields | null {
  const { pod: found } = reach(context, pod);
  if (found === null) return null;
  const readyAt = new Date(context.event.nowMs).toISOString();
  return { endpoint: `https://${hostOf(found.address)}:9091`, sandboxID: pod.uid, readyAt };
}

function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
