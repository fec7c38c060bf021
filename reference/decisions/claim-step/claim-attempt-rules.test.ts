/** Attempts and what a process remembers of them: what is delivered again, taken over, given up. */
import { describe, expect, test } from 'vitest';
import type { ClaimEvent, ClaimMemory, Outcome } from './claim-events.ts';
import {
  claimOf,
  config,
  deletePod,
  during,
  failing,
  held,
  intended,
  me,
  nameOf,
  nothing,
  reading,
  recordOf,
  restoring,
  said,
  status,
  step,
  token,
} from './claim-samples.ts';
import { memoryAtStart } from './claim-step.ts';

describe('an intent', () => {
  const object = claimOf(restoring());
  const event = { ...held, object };
  const takesOver = (number: number) => ({
    action: status('take-over', {
      husk: { pod: nameOf(1), attempt: number, by: config.identity },
      attempts: number,
    }),
    rule: 'the same pod, one attempt further',
  });

  test.each<[string, Partial<ClaimEvent>, ClaimMemory]>([
    ['of a process before', event, memoryAtStart],
    ['of another process', { ...held, object: claimOf(restoring('controller-0')) }, during()],
    ['that this process remembers for another holder', event, during({ holder: 'uid-other' })],
    ['that this process remembers for another pod', event, during({ podUid: 'uid-husk-2' })],
    ['of another attempt', event, during({ number: 2 })],
    ['whose delivery is unclear', event, during({ progress: 'unclear', fresh: false })],
  ])(
    '%s is always taken over by the same pod, one attempt further, and never as fresh',
    (_, given, memory) => {
      expect(said(given, memory)).toEqual(takesOver(2));
      expect(step(given, memory).state.attempt).toEqual({ ...intended, number: 2, fresh: false });
    },
  );

  test('is always taken over beyond every number that stands', () => {
    expect(said({ ...held, object: claimOf(restoring('x', 2, 1)) })).toEqual(takesOver(3));
    expect(said({ ...held, object: claimOf(restoring('x', 1, 2)) })).toEqual(takesOver(3));
  });

  test('is never taken over beyond the cap', () => {
    expect(said({ ...held, object: claimOf(restoring('x', 1, 3)) })).toEqual(
      failing('deliveries are used up'),
    );
    expect(said({ ...held, object: claimOf(restoring('x', 1, 2)) }).rule).toBe(
      'the same pod, one attempt further',
    );
  });

  test('for a pod that cannot be reached is given up only when nothing was delivered', () => {
    const spends = {
      action: status('spend', { phase: 'Pending', husk: null, attempts: 2, spent: ['uid-husk-1'] }),
      rule: 'nothing was delivered: another husk',
    };
    const lost = 'its husk cannot be reached and may hold its secrets';
    expect(said(event, during({ progress: 'unreachable' }))).toEqual(spends);
    expect(said(event, during({ progress: 'unreachable', fresh: false }))).toEqual(failing(lost));
    // The pod may not be reached any more: asked again before it is dialled, concluded before it is delivered to.
    const gone = { ...event, pods: [] };
    expect(said(gone, during())).toEqual(reading('its husk may not be reached: read again'));
    expect(said({ ...gone, live: true }, during())).toEqual(spends);
    expect(said({ ...gone, live: true }, during({ fresh: false }))).toEqual(failing(lost));
    expect(said(gone, during({ progress: 'proved' }))).toEqual(spends);
    expect(said(gone, during({ progress: 'delivered' }))).toEqual(failing('its husk is gone'));
  });

  test('is never delivered without a token', () => {
    const tokenless = { ...held, object: claimOf({ ...restoring(), token: null }) };
    expect(said(tokenless, during({ progress: 'proved' })).rule).toBe('nothing was delivered: another husk');
  });
});

const memoryAfter = (last: Outcome, memory: ClaimMemory) =>
  step({ object: null, ledger: [], live: true, last }, memory).state;
const write = (purpose: string, result: string, uid: string | null = null): Outcome =>
  ({ of: 'write', purpose, result, uid, created: token }) as Outcome;
const dial = (
  result: 'proved' | 'other-peer' | 'refused' | 'unknown',
  holds: string | null = null,
): Outcome => ({
  of: 'dial',
  podUid: 'uid-husk-1',
  result,
  holds,
});

describe('what this process remembers', () => {
  test('always begins empty', () => {
    expect(memoryAtStart).toEqual({
      attempt: null,
      token: null,
      acting: null,
      deleted: [],
      dehydrated: false,
      snapshot: null,
      snapshotAttempt: 0,
    });
  });

  test('is a token only when it was made, for whom it was made', () => {
    const acting = { ...memoryAtStart, acting: me };
    expect(memoryAfter(write('token', 'done'), acting)).toEqual({
      ...acting,
      token: { holder: me, ...token },
    });
    expect(memoryAfter(write('token', 'unknown'), acting)).toEqual(acting);
    expect(memoryAfter(write('label', 'done'), acting)).toEqual(acting);
    expect(memoryAfter(write('token', 'done'), memoryAtStart)).toEqual(memoryAtStart);
    expect(memoryAfter({ ...write('token', 'done'), created: null } as Outcome, acting)).toEqual(acting);
  });

  test('is a deletion only when the API server answered for it', () => {
    for (const purpose of ['delete-pod', 'revoke']) {
      for (const result of ['done', 'not-found', 'conflict', 'exists']) {
        expect(memoryAfter(write(purpose, result, 'a'), memoryAtStart).deleted).toEqual(['a']);
      }
      for (const result of ['unknown', 'invalid']) {
        expect(memoryAfter(write(purpose, result, 'a'), memoryAtStart).deleted).toEqual([]);
      }
      expect(memoryAfter(write(purpose, 'done', null), memoryAtStart).deleted).toEqual([]);
    }
    expect(memoryAfter(write('forget', 'done', 'a'), memoryAtStart).deleted).toEqual([]);
  });

  test('is each deletion once, the last 64', () => {
    const many = Array.from({ length: 64 }, (_, index) => `uid-${index}`);
    const memory = { ...memoryAtStart, deleted: many };
    expect(memoryAfter(write('revoke', 'done', 'uid-3'), memory).deleted).toEqual([
      ...many.filter((uid) => uid !== 'uid-3'),
      'uid-3',
    ]);
    expect(memoryAfter(write('revoke', 'done', 'new'), memory).deleted).toEqual([...many.slice(1), 'new']);
  });
});

describe('what this process remembers of its attempt', () => {
  test.each<[string, Outcome, Partial<typeof intended>]>([
    ['proved', dial('proved'), { progress: 'proved' }],
    ['delivered when the husk holds this claim', dial('proved', me), { progress: 'delivered', fresh: false }],
    [
      'unreachable when the husk holds another',
      dial('proved', 'uid-other'),
      { progress: 'unreachable', fresh: false },
    ],
    ['unreachable when another answered', dial('other-peer'), { progress: 'unreachable' }],
    ['unreachable when it was refused', dial('refused'), { progress: 'unreachable' }],
    ['unreachable when nobody knows', dial('unknown'), { progress: 'unreachable' }],
    ['what it was for the dial of another pod', { ...dial('proved'), podUid: 'uid-husk-2' } as Outcome, {}],
    [
      'unclear after a delivery that is',
      { of: 'deliver', podUid: 'uid-husk-1', result: 'unknown', digest: null },
      { progress: 'unclear' },
    ],
    [
      'unclear after a delivery that was refused',
      { of: 'deliver', podUid: 'uid-husk-1', result: 'refused', digest: null },
      { progress: 'unclear' },
    ],
    [
      'delivered after one that was done',
      { of: 'deliver', podUid: 'uid-husk-1', result: 'done', digest: null },
      { progress: 'delivered' },
    ],
    [
      'what it was after a delivery to another pod',
      { of: 'deliver', podUid: 'uid-husk-2', result: 'done', digest: null },
      {},
    ],
  ])('is always %s', (_, last, changes) => {
    expect(memoryAfter(last, during())).toEqual(during(changes));
  });

  test('is never moved by a dial that came too late', () => {
    expect(memoryAfter(dial('refused'), during({ progress: 'delivered' }))).toEqual(
      during({ progress: 'delivered' }),
    );
    expect(memoryAfter(dial('proved'), memoryAtStart)).toEqual(memoryAtStart);
    const delivered: Outcome = { of: 'deliver', podUid: 'uid-husk-1', result: 'done', digest: null };
    expect(memoryAfter(delivered, memoryAtStart)).toEqual(memoryAtStart);
  });

  test('is always that a workspace was written back, and what snapshot was taken', () => {
    const of = (kind: 'dehydrate' | 'snapshot', result: 'done' | 'unknown'): Outcome => ({
      of: kind,
      podUid: 'uid-husk-1',
      result,
      digest: 'sha256:1',
    });
    expect(memoryAfter(of('dehydrate', 'unknown'), memoryAtStart)).toEqual({
      ...memoryAtStart,
      dehydrated: true,
    });
    expect(memoryAfter(of('snapshot', 'done'), memoryAtStart)).toEqual({
      ...memoryAtStart,
      snapshot: 'sha256:1',
    });
    expect(memoryAfter(of('snapshot', 'unknown'), { ...memoryAtStart, snapshot: 'x' })).toEqual(
      memoryAtStart,
    );
  });

  test('is nothing without leadership', () => {
    expect(step({ ...held, object: claimOf(restoring()), leading: false }, during())).toEqual({
      state: memoryAtStart,
      actions: [],
      rule: 'not leading: what was in flight is given up',
    });
  });
});

describe('a clock', () => {
  test.each([Number.NaN, Infinity, -Infinity, 8.64e15 + 1, -8.64e15 - 1])(
    'that tells no date is never acted by: %d',
    (unreadable) => {
      expect(said({ ...held, nowMs: unreadable })).toEqual(
        nothing('the clock is unreadable: nothing is done'),
      );
    },
  );

  test('is always acted by up to the last date that there is', () => {
    expect(said({ ...held, nowMs: 8.64e15 }).rule).toBe('make its token');
  });
});

describe('a claim that is not there', () => {
  test.each<[string, unknown]>([
    ['is gone', null],
    ['is another one of its name', claimOf({}, { uid: 'uid-new' })],
    ['has no version', claimOf({}, { resourceVersion: '' })],
  ])('is always looked for again, then what it held goes: it %s', (_, object) => {
    expect(said({ ...held, object })).toEqual(reading('it is not there: read again'));
    expect(said({ ...held, object, live: true })).toEqual(deletePod(1, 'its holder is gone: its pod goes'));
    const child = { ledger: [recordOf(2), recordOf(1, `${me}.0`)], object, live: true };
    expect(said(child)).toEqual(deletePod(1, 'its holder is gone: its pod goes'));
    const others = {
      ledger: [recordOf(1), recordOf(2, `${me}x.0`), recordOf(3, `x${me}.0`)],
      object,
      live: true,
    };
    expect(said(others)).toEqual(nothing('gone, nothing left'));
  });
});
