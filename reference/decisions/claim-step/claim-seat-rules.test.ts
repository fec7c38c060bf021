/** A claim on its way to its husk, rule by rule: each write and call with its precondition and deadline. */
import { describe, expect, test } from 'vitest';
import {
  claimOf,
  claimTarget,
  config,
  createdAt,
  deletePod,
  during,
  failing,
  held,
  husk,
  intended,
  me,
  nameOf,
  namespace,
  patch,
  reach,
  reading,
  recordOf,
  restoring,
  said,
  status,
  step,
  token,
} from './claim-samples.ts';
import { memoryAtStart } from './claim-step.ts';

const recordTarget = (number: number) => ({
  kind: 'HuskRecord',
  namespace: 'mitos-system',
  name: `uid-husk-${number}`,
});

const forget = (number: number, rule: string) => ({
  action: {
    kind: 'delete',
    purpose: 'forget',
    target: recordTarget(number),
    precondition: { resourceVersion: `${200 + number}` },
    deadlineMs: 5_000,
  },
  rule,
});

describe('a claim on its way to Ready', () => {
  test('always gets its finalizer first, once, beside those of others', () => {
    for (const finalizers of [['own'], ['own', 7]]) {
      expect(said({ object: claimOf({}, { finalizers }) })).toEqual({
        action: patch(
          'finalize',
          claimTarget,
          null,
          { uid: me, resourceVersion: '7' },
          { metadata: { finalizers: ['own', 'mitos.run/husk'] } },
        ),
        rule: 'its finalizer before anything is held',
      });
    }
  });

  test('always marks a warm husk for itself alone, under the version that was read', () => {
    expect(said({})).toEqual({
      action: patch('mark', recordTarget(1), null, { resourceVersion: '201' }, { holder: me }),
      rule: 'mark it for this holder alone',
    });
  });

  test('is never held up by a pod that has no name', () => {
    expect(said({ ledger: held.ledger, pods: [null, husk(1)] }).rule).toBe(
      'label it under the version that was judged',
    );
    expect(said({ ledger: held.ledger, pods: [null, husk(1, me)] }).rule).toBe('make its token');
  });

  test('always labels what it marked, under the UID and the version that were judged', () => {
    expect(said({ ledger: held.ledger })).toEqual({
      action: patch(
        'label',
        { kind: 'Pod', namespace, name: 'husk-1' },
        null,
        { uid: 'uid-husk-1', resourceVersion: '101' },
        { metadata: { labels: { 'mitos.run/claim': me } } },
      ),
      rule: 'label it under the version that was judged',
    });
  });

  test('always makes a token that nobody can take or change, owned by UID, and remembers for whom', () => {
    expect(said(held)).toEqual({
      action: {
        kind: 'create',
        purpose: 'token',
        object: {
          kind: 'Secret',
          metadata: {
            namespace,
            generateName: 'sandbox-token-',
            ownerReferences: [
              {
                apiVersion: 'mitos.run/v1alpha1',
                kind: 'SandboxClaim',
                name: 'claim',
                uid: me,
                controller: true,
                blockOwnerDeletion: false,
              },
            ],
          },
          immutable: true,
        },
        deadlineMs: 5_000,
      },
      rule: 'make its token',
    });
    expect(step(held).state).toEqual({ ...memoryAtStart, acting: me });
  });

  test('always notes the intent before the first dial, with the token that it knows', () => {
    const intends = {
      action: status('intend', { ...restoring(), phase: 'Restoring' }),
      rule: 'note the intent before the first dial',
    };
    const remembered = { ...memoryAtStart, token: { holder: me, ...token } };
    expect(said(held, remembered)).toEqual(intends);
    expect(step(held, remembered).state).toEqual({ ...remembered, attempt: intended });
    expect(said({ ...held, object: claimOf({ token }) })).toEqual(intends);
    const again = claimOf({ token, attempts: 1 });
    expect(said({ ...held, object: again }).action).toEqual(
      status('intend', { ...restoring(config.identity, 2), phase: 'Restoring' }),
    );
  });

  test('never takes another holder’s token for its own', () => {
    const other = { ...memoryAtStart, token: { holder: 'uid-other', ...token } };
    expect(said(held, other).rule).toBe('make its token');
  });

  test('always takes the husk of the lowest UID that is marked for it', () => {
    const ledger = [recordOf(2, me), recordOf(1, me), recordOf(3, me)];
    const pods = [husk(3, me), husk(2, me), husk(1, me)];
    expect(said({ ledger, pods, object: claimOf({ token }) }).action).toMatchObject({
      patch: { status: { husk: { pod: nameOf(1) } } },
    });
    const [, ...rest] = ledger;
    expect(said({ ledger: [...rest].reverse(), pods, object: claimOf({ token }) }).action).toMatchObject({
      patch: { status: { husk: { pod: nameOf(1) } } },
    });
  });
});

describe('a claim with a husk', () => {
  test('always dials as that pod and nobody else', () => {
    expect(said({ ...held, object: claimOf(restoring()) }, during())).toEqual({
      action: { kind: 'dial', ...reach, deadlineMs: 10_000 },
      rule: 'dial: who are you?',
    });
  });

  test('always delivers to the pod that proved to be it, and can never say again that nothing was', () => {
    const object = claimOf(restoring(), {}, { secrets: [{ name: 'x', secretRef: 'db' }] });
    const event = { ...held, object, authorized: ['other', 'db'] };
    expect(said(event, during({ progress: 'proved' }))).toEqual({
      action: { kind: 'deliver', ...reach, secrets: ['db'], token, snapshot: null, deadlineMs: 10_000 },
      rule: 'deliver to the pod that proved to be it',
    });
    expect(step(event, during({ progress: 'proved' })).state).toEqual(
      during({ fresh: false, progress: 'unclear' }),
    );
  });

  test.each([
    ['10.0.0.1', 'https://10.0.0.1:9091'],
    ['fd00::1', 'https://[fd00::1]:9091'],
  ])('always publishes where the husk at %s is: %s', (podIP, endpoint) => {
    const pods = [husk(1, me, { podIP })];
    const event = { ledger: held.ledger, pods, object: claimOf(restoring()) };
    expect(said(event, during({ progress: 'delivered' }))).toEqual({
      action: status('publish', {
        phase: 'Ready',
        endpoint,
        sandboxID: 'uid-husk-1',
        readyAt: '2026-11-24T00:00:01.000Z',
      }),
      rule: 'publish',
    });
  });
});

describe('a claim that finds no husk', () => {
  const none = { ledger: [], pods: [] };
  const late = (object: unknown, afterMs: number) =>
    said({ ...none, object, nowMs: Date.parse(createdAt) + afterMs });

  test('always waits within its time, and fails after it', () => {
    const waits = { action: { kind: 'wait', afterMs: 1_000 }, rule: 'no pod is left' };
    expect(late(claimOf(), 60_000)).toEqual(waits);
    expect(late(claimOf(), 60_001)).toEqual(failing('no husk in time'));
  });

  test('never waits when nobody can say since when it is there', () => {
    for (const creationTimestamp of [undefined, 'yesterday', 7]) {
      const object = claimOf({}, { creationTimestamp });
      expect(late(object, 0)).toEqual(failing('no husk in time'));
      expect(said({ ...none, object, nowMs: 1_000 })).toEqual(failing('no husk in time'));
    }
  });

  test('never marks a husk for which the ledger has no record', () => {
    expect(said({ ledger: [] }).action).toEqual({ kind: 'wait', afterMs: 1_000 });
  });

  test('always fails once its attempts are used up, also with a husk that is marked', () => {
    expect(said({ object: claimOf({ attempts: 3 }) })).toEqual(failing('attempts are used up'));
    expect(said({ ...held, object: claimOf({ attempts: 3 }) })).toEqual(failing('attempts are used up'));
    expect(said({ object: claimOf({ attempts: 2 }) }).rule).toBe('mark it for this holder alone');
  });
});

describe('a husk that was marked and may not be reached', () => {
  const spends = (attempts: number, ...spent: string[]) =>
    status('spend', { phase: 'Pending', husk: null, attempts, spent });

  test('is always looked at again, then given up by name', () => {
    const gone = { ledger: held.ledger, pods: [] };
    expect(said(gone)).toEqual(reading('gone: read again'));
    const rule = 'its husk may not be reached (gone)';
    expect(said({ ...gone, live: true })).toEqual({ action: spends(1, 'uid-husk-1'), rule });
    const stopped = { ledger: held.ledger, pods: [husk(2), husk(1, me, { phase: 'Pending' })] };
    expect(said(stopped)).toEqual(reading('not Running: read again'));
    expect(said({ ...stopped, live: true }).rule).toBe('its husk may not be reached (not Running)');
  });

  test('is always given up beside those that were before', () => {
    const object = claimOf({ attempts: 1, spent: ['uid-husk-9', 7] });
    expect(said({ ledger: held.ledger, pods: [], object, live: true }).action).toEqual(
      spends(2, 'uid-husk-9', 'uid-husk-1'),
    );
  });

  test('is always taken out of the world once it was given up, by its pod first', () => {
    const object = claimOf({ spent: ['uid-husk-1'] });
    expect(said({ ...held, object })).toEqual(deletePod(1, 'given up: its pod goes'));
    const memory = { ...memoryAtStart, deleted: ['uid-husk-1'] };
    expect(said({ ...held, object }, memory)).toEqual(forget(1, 'given up: its record goes'));
    // One that another holder has, or that was not given up, stays.
    expect(said({ ledger: [recordOf(1, 'uid-other'), recordOf(2)], pods: [husk(2)], object }).rule).toBe(
      'mark it for this holder alone',
    );
  });
});
