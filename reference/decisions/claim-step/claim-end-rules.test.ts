/** A claim’s Secrets, time and end, rule by rule: what fails it, what goes, and in which order. */
import { describe, expect, test } from 'vitest';
import {
  claimOf,
  claimTarget,
  createdAt,
  deletePod,
  failing,
  held,
  husk,
  me,
  namespace,
  nothing,
  nowMs,
  patch,
  reach,
  reading,
  recordOf,
  restoring,
  said,
  status,
  token,
} from './claim-samples.ts';
import { memoryAtStart } from './claim-step.ts';

const ready = { ...restoring(), phase: 'Ready', readyAt: createdAt };

describe('the Secrets of a claim', () => {
  const asking = (...secrets: unknown[]) => claimOf({}, {}, { secrets });
  const db = { name: 'x', secretRef: 'db' };

  test.each<[string, unknown, string[] | null]>([
    ['its list of Secrets is unreadable', asking({ name: 'x', secretRef: 7 }), ['db']],
    ['it names a Secret of the system', asking(db, { name: 'y', secretRef: 'mitos-ca' }), ['db', 'mitos-ca']],
    ['its Secrets were never authorized', asking(db), null],
    ['its author may not read its Secrets', asking(db, { name: 'y', secretRef: 'other' }), ['db']],
  ])('always fail it: %s', (rule, object, authorized) => {
    expect(said({ object, authorized })).toEqual(failing(rule));
  });

  test('are never asked about once it is settled', () => {
    for (const phase of ['Ready', 'Failed']) {
      const object = claimOf({ ...ready, phase }, {}, { secrets: [{ name: 'x', secretRef: 'db' }] });
      expect(said({ ...held, object }).rule).not.toBe('its Secrets were never authorized');
    }
  });

  test('are never needed for a claim without any', () => {
    expect(said({ object: asking() }).rule).toBe('mark it for this holder alone');
  });
});

describe('a claim without a pool', () => {
  test('always fails, or stays as it is once it is settled', () => {
    expect(said({ pool: null })).toEqual(failing('there is no such pool'));
    expect(said({ ...held, pool: null, object: claimOf(ready) })).toEqual(nothing('its pool is gone'));
    expect(said({ pool: null, object: claimOf({ phase: 'Failed' }) })).toEqual(nothing('its pool is gone'));
  });
});

describe('a Ready claim', () => {
  const object = claimOf(ready);

  test('is always left alone while its husk serves', () => {
    expect(said({ ...held, object })).toEqual(nothing('served'));
    expect(said({ ...held, pods: [null, husk(1, me)], object })).toEqual(nothing('served'));
  });

  test('never counts as served without a husk', () => {
    const bare = claimOf({ phase: 'Ready', readyAt: createdAt });
    expect(said({ object: bare })).toEqual(reading('its husk is gone: read again'));
  });

  test.each<[string, unknown[]]>([
    ['is gone', []],
    ['terminates', [{ ...husk(1, me), metadata: { ...husk(1, me).metadata, deletionTimestamp: createdAt } }]],
    ['came to its end', [husk(1, me, { phase: 'Succeeded' })]],
    ['is another', [husk(2, me)]],
  ])('always looks again, then fails, when its husk %s', (_, pods) => {
    expect(said({ ledger: held.ledger, pods, object })).toEqual(reading('its husk is gone: read again'));
    expect(said({ ledger: held.ledger, pods, object, live: true })).toEqual(failing('its husk is gone'));
  });

  test('always gives back what it holds beside its husk', () => {
    const ledger = [recordOf(3, 'uid-other'), recordOf(1, me), recordOf(2, me)];
    expect(said({ ledger, pods: held.pods, object })).toEqual(deletePod(2, 'not in use: its pod goes'));
  });

  const timed = (timeout: unknown, readyAt: unknown = createdAt) =>
    claimOf({ ...ready, readyAt }, {}, { timeout });
  const saidAfter = (afterMs: number, claim: unknown) =>
    said({ ...held, object: claim, nowMs: Date.parse(createdAt) + afterMs });

  test('always ends when its time is over, and not before', () => {
    const rule = 'its time is over';
    const ends = { action: status('end', { phase: 'Terminating', reason: rule }), rule };
    expect(saidAfter(999, timed(1))).toEqual(nothing('served'));
    expect(saidAfter(1_000, timed(1))).toEqual(ends);
    expect(saidAfter(0, timed(1, 'never'))).toEqual(ends);
    expect(saidAfter(1e9, timed('1'))).toEqual(nothing('served'));
    expect(saidAfter(1e9, timed(undefined))).toEqual(nothing('served'));
  });

  test('alone has a time that can be over', () => {
    const waiting = claimOf({ ...restoring(), readyAt: createdAt }, {}, { timeout: 1 });
    expect(said({ ...held, object: waiting, nowMs: nowMs + 5_000 }).rule).toBe(
      'the same pod, one attempt further',
    );
  });
});

describe('a claim that failed', () => {
  const object = claimOf({ phase: 'Failed', token, husk: restoring().husk });
  const revokes = {
    action: {
      kind: 'delete',
      purpose: 'revoke',
      target: { kind: 'Secret', namespace, name: 'sandbox-token-1' },
      precondition: { uid: 'uid-token' },
      deadlineMs: 5_000,
    },
    rule: 'revoke',
  };

  test('always gives back its husk, then its token, and then is left alone', () => {
    expect(said({ ...held, object })).toEqual(deletePod(1, 'not in use: its pod goes'));
    const empty = { ledger: [recordOf(1)], object };
    expect(said(empty)).toEqual(revokes);
    expect(said(empty, { ...memoryAtStart, deleted: ['uid-token'] })).toEqual({
      action: status('revoke', { token: null }),
      rule: 'its token is gone',
    });
    expect(said({ ledger: [], object: claimOf({ phase: 'Failed' }) })).toEqual(
      nothing('ended, nothing left'),
    );
  });
});

describe('the end of a claim', () => {
  const deleted = (changes: object = {}, fields: object = restoring()) =>
    claimOf(fields, { deletionTimestamp: createdAt, ...changes });
  const empty = { ledger: [recordOf(1)] };

  test('always takes its husk, looks again, and takes its finalizer off last', () => {
    expect(said({ ...held, object: deleted() })).toEqual(deletePod(1, 'the claim ends: its pod goes'));
    expect(said({ ...empty, object: deleted() })).toEqual(reading('nothing held: read again'));
    expect(
      said({ ...empty, object: deleted({ finalizers: ['a', 'mitos.run/husk', 'b'] }), live: true }),
    ).toEqual({
      action: patch(
        'unfinalize',
        claimTarget,
        null,
        { uid: me, resourceVersion: '7' },
        { metadata: { finalizers: ['a', 'b'] } },
      ),
      rule: 'nothing is left of it',
    });
    expect(said({ ...empty, object: deleted({ finalizers: ['a'] }), live: true })).toEqual(
      nothing('it may go'),
    );
  });

  test('always says when it is over, and revokes its token, where the claim stays', () => {
    const ending = claimOf({ ...restoring(), phase: 'Terminating' });
    expect(said({ ...held, object: ending })).toEqual(deletePod(1, 'the claim ends: its pod goes'));
    expect(said({ ...empty, object: ending, live: true })).toEqual({
      action: status('end', { phase: 'Terminated' }),
      rule: 'nothing is left of it',
    });
    const ended = claimOf({ phase: 'Terminated', token });
    expect(said({ ...empty, object: ended, live: true }).rule).toBe('revoke');
    expect(said({ ...empty, object: claimOf({ phase: 'Terminated' }), live: true })).toEqual(
      nothing('ended, nothing left'),
    );
  });

  const checkpointed = (fields: object = ready, spec: object = { checkpointOnTerminate: true }) =>
    claimOf(fields, { deletionTimestamp: createdAt }, spec);

  test('always writes the workspace back first, once, where that was asked for and the husk was Ready', () => {
    expect(said({ ...held, object: checkpointed() })).toEqual({
      action: { kind: 'dehydrate', ...reach, deadlineMs: 10_000 },
      rule: 'write its workspace back',
    });
    const goes = deletePod(1, 'the claim ends: its pod goes');
    expect(said({ ...held, object: checkpointed() }, { ...memoryAtStart, dehydrated: true })).toEqual(goes);
    expect(said({ ...held, object: checkpointed({ ...ready, readyAt: null }) })).toEqual(goes);
    expect(said({ ...held, object: checkpointed({ ...ready, husk: null }) })).toEqual(goes);
    expect(said({ ...held, object: checkpointed(ready, { checkpointOnTerminate: 'true' }) })).toEqual(goes);
    expect(said({ ...held, pool: null, object: checkpointed() })).toEqual(goes);
    expect(said({ ...held, pods: [husk(1, me, { phase: 'Failed' })], object: checkpointed() })).toEqual(goes);
    expect(said({ ...empty, object: checkpointed() })).toEqual(reading('nothing held: read again'));
  });
});
