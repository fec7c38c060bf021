/** A claim's life, step by step: what is written or called next, and under which precondition. */
import { describe, expect, test } from 'vitest';
import type { Outcome } from './claim-events.ts';
import {
  claimOf,
  createdAt,
  during,
  held,
  namespace,
  nowMs,
  recordOf,
  restoring,
  step,
} from './claim-samples.ts';
import { memoryAtStart } from './claim-step.ts';

describe('a claim on its way to Ready', () => {
  test('always gets its finalizer first, under its UID and version', () => {
    const { actions } = step({ object: claimOf({}, { finalizers: ['own'] }) });
    expect(actions).toMatchObject([
      {
        purpose: 'finalize',
        precondition: { uid: 'uid-claim', resourceVersion: '7' },
        patch: { metadata: { finalizers: ['own', 'mitos.run/husk'] } },
        deadlineMs: 5_000,
      },
    ]);
  });

  test('marks the record of a warm husk, under the version that was read', () => {
    expect(step({}).actions).toMatchObject([
      {
        purpose: 'mark',
        target: { kind: 'HuskRecord', namespace: 'mitos-system', name: 'uid-husk-1' },
        precondition: { resourceVersion: '201' },
        patch: { holder: 'uid-claim' },
      },
    ]);
  });

  test('labels the husk that it holds, under the UID and version that were judged', () => {
    expect(step({ ledger: held.ledger }).actions).toMatchObject([
      {
        purpose: 'label',
        precondition: { uid: 'uid-husk-1', resourceVersion: '101' },
        patch: { metadata: { labels: { 'mitos.run/claim': 'uid-claim' } } },
      },
    ]);
  });

  test('makes a token under a name that nobody can take, owned by UID', () => {
    const { actions } = step(held);
    expect(actions).toMatchObject([
      {
        purpose: 'token',
        object: {
          immutable: true,
          metadata: { generateName: 'sandbox-token-', ownerReferences: [{ uid: 'uid-claim' }] },
        },
      },
    ]);
  });

  test('notes the intent, with the pod by UID and this process, before the first dial', () => {
    const last: Outcome = {
      of: 'write',
      purpose: 'token',
      result: 'done',
      uid: null,
      created: { name: 'sandbox-token-1', uid: 'uid-token' },
    };
    const { actions, state } = step({ ...held, last }, { ...memoryAtStart, acting: 'uid-claim' });
    expect(actions).toMatchObject([
      { purpose: 'intend', subresource: 'status', precondition: { resourceVersion: '7' } },
    ]);
    expect(actions[0]).toHaveProperty('patch.status', restoring());
    expect(state.attempt).toMatchObject({ podUid: 'uid-husk-1', fresh: true });
  });

  test('dials as that pod and nobody else, within a deadline', () => {
    expect(step({ ...held, object: claimOf(restoring()) }, during()).actions).toMatchObject([
      {
        kind: 'dial',
        address: '10.0.0.1',
        identity: { namespace, podUid: 'uid-husk-1' },
        holder: 'uid-claim',
        deadlineMs: 10_000,
      },
    ]);
  });

  test('delivers only when the peer proved to be the pod', () => {
    const last: Outcome = { of: 'dial', podUid: 'uid-husk-1', result: 'proved', holds: null };
    const object = claimOf(restoring(), {}, { secrets: [{ name: 'db', secretRef: 'db' }] });
    const { actions, state } = step({ ...held, object, authorized: ['db'], last }, during());
    expect(actions).toMatchObject([
      { kind: 'deliver', secrets: ['db'], token: { uid: 'uid-token' }, snapshot: null, deadlineMs: 10_000 },
    ]);
    expect(state.attempt).toMatchObject({ fresh: false, progress: 'unclear' });
  });

  test('publishes where the husk is and since when', () => {
    const { actions } = step({ ...held, object: claimOf(restoring()) }, during({ progress: 'delivered' }));
    expect(actions[0]).toHaveProperty('patch.status', {
      phase: 'Ready',
      endpoint: 'https://10.0.0.1:9091',
      sandboxID: 'uid-husk-1',
      readyAt: new Date(nowMs).toISOString(),
    });
  });
});

describe('secrets', () => {
  const asks = (secretRef: unknown) => claimOf({}, {}, { secrets: [{ name: 'x', secretRef }] });

  test.each([
    ['were never authorized', asks('db'), null],
    ['are not all authorized', asks('db'), ['other']],
    ['are the system’s own, whoever may read them', asks('mitos-ca'), ['mitos-ca']],
    ['are unreadable', asks(7), ['db']],
    ['are no list', claimOf({}, {}, { secrets: 'db' }), ['db']],
  ])('fail a claim whose Secrets %s', (_, object, authorized) => {
    expect(step({ object, authorized }).actions).toMatchObject([{ purpose: 'fail' }]);
  });
});

describe('what nobody knows', () => {
  const dialled = (result: 'other-peer' | 'refused' | 'unknown'): Outcome => ({
    of: 'dial',
    podUid: 'uid-husk-1',
    result,
    holds: null,
  });
  const object = claimOf(restoring());

  test.each(['other-peer', 'refused', 'unknown'] as const)(
    'gives up a husk that was never delivered to, when its dial ends %s',
    (result) => {
      const { actions } = step({ ...held, object, last: dialled(result) }, during());
      expect(actions[0]).toHaveProperty('patch.status', {
        phase: 'Pending',
        husk: null,
        attempts: 2,
        spent: ['uid-husk-1'],
      });
    },
  );

  test('never gives up a husk that may hold the secrets: the claim fails', () => {
    const { actions } = step({ ...held, object, last: dialled('unknown') }, during({ fresh: false }));
    expect(actions).toMatchObject([{ purpose: 'fail' }]);
  });

  test.each([
    ['another process', claimOf(restoring('controller-0')), memoryAtStart],
    ['an unclear delivery', object, during({ fresh: false, progress: 'unclear' })],
  ])('goes on with the same pod after %s, one attempt further and never as fresh', (_, claim, memory) => {
    const { actions, state } = step({ ...held, object: claim }, memory);
    expect(actions).toMatchObject([{ purpose: 'take-over', precondition: { resourceVersion: '7' } }]);
    expect(state.attempt).toMatchObject({ number: 2, fresh: false, podUid: 'uid-husk-1' });
  });

  test('never delivers more often than the cap says', () => {
    const { actions } = step({ ...held, object: claimOf(restoring('controller-0', 3)) });
    expect(actions).toMatchObject([{ purpose: 'fail' }]);
  });

  test('publishes without delivering when the husk says that it holds this claim', () => {
    const last: Outcome = { of: 'dial', podUid: 'uid-husk-1', result: 'proved', holds: 'uid-claim' };
    expect(step({ ...held, object, last }, during()).actions).toMatchObject([{ purpose: 'publish' }]);
  });

  test('never delivers to a husk that holds another claim', () => {
    const last: Outcome = { of: 'dial', podUid: 'uid-husk-1', result: 'proved', holds: 'uid-other' };
    expect(step({ ...held, object, last }, during()).actions).toMatchObject([{ purpose: 'fail' }]);
  });
});

describe('waiting', () => {
  test('waits while no husk is warm, and fails when its time is over', () => {
    const nothing = { ledger: [], pods: [] };
    expect(step(nothing).actions).toEqual([{ kind: 'wait', afterMs: 1_000 }]);
    expect(step({ ...nothing, nowMs: nowMs + 60_000 }).actions).toMatchObject([{ purpose: 'fail' }]);
  });

  test('never acts without leadership', () => {
    expect(step({ ...held, leading: false }, during())).toMatchObject({ actions: [], state: memoryAtStart });
  });

  test('fails a claim whose pool is not there', () => {
    expect(step({ pool: null }).actions).toMatchObject([{ purpose: 'fail' }]);
  });
});

describe('a Ready claim', () => {
  const ready = { ...restoring(), phase: 'Ready', readyAt: createdAt };

  test('is left alone while its husk serves', () => {
    expect(step({ ...held, object: claimOf(ready) }).actions).toEqual([]);
  });

  test('asks the API server before it says that the husk is gone', () => {
    const gone = { object: claimOf(ready), ledger: held.ledger, pods: [] };
    expect(step(gone).actions).toMatchObject([{ kind: 'read' }]);
    expect(step({ ...gone, live: true }).actions).toMatchObject([{ purpose: 'fail' }]);
  });

  test('ends when its time is over', () => {
    const object = claimOf(ready, {}, { timeout: 1 });
    expect(step({ ...held, object, nowMs: Date.parse(createdAt) + 999 }).actions).toEqual([]);
    expect(step({ ...held, object, nowMs: Date.parse(createdAt) + 1_000 }).actions).toMatchObject([
      { purpose: 'end', patch: { status: { phase: 'Terminating' } } },
    ]);
  });

  test('gives back a husk that it marked and does not use', () => {
    const ledger = [...held.ledger, recordOf(2, 'uid-claim')];
    expect(step({ object: claimOf(ready), ledger, pods: held.pods }).actions).toMatchObject([
      { purpose: 'delete-pod', precondition: { uid: 'uid-husk-2' } },
    ]);
  });
});

describe('an end', () => {
  const deleted = claimOf(restoring(), { deletionTimestamp: createdAt });

  test('deletes the pod by UID, then the record, then takes the finalizer off', () => {
    expect(step({ ...held, object: deleted }).actions).toMatchObject([
      { kind: 'delete', purpose: 'delete-pod', precondition: { uid: 'uid-husk-1' } },
    ]);
    const memory = { ...memoryAtStart, deleted: ['uid-husk-1'] };
    expect(step({ ...held, object: deleted }, memory).actions).toMatchObject([
      { kind: 'delete', purpose: 'forget', precondition: { resourceVersion: '201' } },
    ]);
    const empty = { ledger: [], object: deleted };
    expect(step(empty).actions).toMatchObject([{ kind: 'read' }]);
    expect(step({ ...empty, live: true }).actions).toMatchObject([
      { purpose: 'unfinalize', precondition: { uid: 'uid-claim', resourceVersion: '7' } },
    ]);
  });

  test('never takes a lost answer for a deletion that was done', () => {
    const last: Outcome = {
      of: 'write',
      purpose: 'delete-pod',
      result: 'unknown',
      uid: 'uid-husk-1',
      created: null,
    };
    expect(step({ ...held, object: deleted, last }).actions).toMatchObject([{ purpose: 'delete-pod' }]);
  });

  test('reaps what a claim held that is gone or was made again, after it looked', () => {
    for (const object of [null, claimOf({}, { uid: 'uid-new' })]) {
      expect(step({ ...held, object }).actions).toMatchObject([{ kind: 'read' }]);
      expect(step({ ...held, object, live: true }).actions).toMatchObject([{ purpose: 'delete-pod' }]);
    }
  });

  test('writes the workspace back once, to the husk that the ledger holds for it', () => {
    const object = claimOf(
      { ...restoring(), phase: 'Ready', readyAt: createdAt },
      { deletionTimestamp: createdAt },
      { checkpointOnTerminate: true },
    );
    expect(step({ ...held, object }).actions).toMatchObject([
      { kind: 'dehydrate', identity: { podUid: 'uid-husk-1' } },
    ]);
    const last: Outcome = { of: 'dehydrate', podUid: 'uid-husk-1', result: 'unknown', digest: null };
    expect(step({ ...held, object, last }).actions).toMatchObject([{ purpose: 'delete-pod' }]);
  });

  test('revokes the token of a claim that failed, by UID', () => {
    const object = claimOf({ ...restoring(), phase: 'Failed', husk: null });
    expect(step({ object, ledger: [], pods: [] }).actions).toMatchObject([
      { purpose: 'revoke', precondition: { uid: 'uid-token' } },
    ]);
  });
});
