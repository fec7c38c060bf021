/** A claim’s Secrets, time and end, rule by rule: what fails it, what goes, and in which order. */
import { describe, expect, test } from 'vitest';
import type { HuskRecord } from '#reference/contract/husk.ts';
import { podSpecHash } from '../select-husk/pod-view.ts';
import type { ClaimConfig, ClaimEvent, ClaimMemory } from './claim-events.ts';
import { memoryAtStart, stepClaim } from './claim-step.ts';

const namespace = 'team-a';
const pool = { namespace, name: 'pool', uid: 'uid-pool' };
const config: ClaimConfig = {
  identity: 'controller-1',
  controllerNamespace: 'mitos-system',
  writeDeadlineMs: 5_000,
  callDeadlineMs: 10_000,
  claimDeadlineMs: 60_000,
  maxAttempts: 3,
  retryAfterMs: 1_000,
  systemSecrets: ['mitos-ca'],
};
const createdAt = '2026-11-24T00:00:00Z';
const nowMs = Date.parse(createdAt) + 1_000;
const podOwner = {
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'SandboxPool',
  name: 'pool',
  uid: 'uid-pool',
  controller: true,
  blockOwnerDeletion: true,
};
const nameOf = (number: number) => ({ namespace, name: `husk-${number}`, uid: `uid-husk-${number}` });
const husk = (number: number, holder?: string, status: object = {}) => ({
  metadata: {
    ...nameOf(number),
    resourceVersion: `${100 + number}`,
    labels: {
      'mitos.run/husk': 'true',
      'mitos.run/pool': 'pool',
      ...(holder === undefined ? {} : { 'mitos.run/claim': holder }),
    },
    ownerReferences: [podOwner],
  },
  spec: { containers: [{ name: 'husk', image: `husk@sha256:${number}` }] },
  status: {
    phase: 'Running',
    podIP: `10.0.0.${number}`,
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'husk', restartCount: 0 }],
    ...status,
  },
});
const recordOf = (number: number, holder: string | null = null): HuskRecord => ({
  pod: nameOf(number),
  pool,
  specHash: podSpecHash(husk(number).spec) ?? '',
  holder,
  resourceVersion: `${200 + number}`,
});

const me = 'uid-claim';
const claimOf = (status: object = {}, metadata: object = {}, spec: object = {}) => ({
  metadata: {
    namespace,
    name: 'claim',
    uid: me,
    resourceVersion: '7',
    creationTimestamp: createdAt,
    finalizers: ['mitos.run/husk'],
    ...metadata,
  },
  spec: { poolRef: 'pool', ...spec },
  status,
});
const token = { name: 'sandbox-token-1', uid: 'uid-token' };
const restoring = (by = config.identity, attempt = 1, attempts = attempt) => ({
  phase: 'Restoring',
  attempts,
  token,
  husk: { pod: nameOf(1), attempt, by },
});
const ready = { ...restoring(), phase: 'Ready', readyAt: createdAt };
const held = { ledger: [recordOf(1, me)], pods: [husk(1, me)] };

function step(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  return stepClaim(config, memory, {
    nowMs,
    leading: true,
    owner: { kind: 'SandboxClaim', namespace, name: 'claim', uid: me },
    object: claimOf(),
    live: false,
    authorized: null,
    source: null,
    pool,
    ledger: [recordOf(1)],
    pods: [husk(1)],
    last: null,
    ...event,
  });
}

/** The one action and its rule. */
function said(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  const { actions, rule } = step(event, memory);
  expect(actions.length).toBeLessThan(2);
  return { action: actions[0] ?? null, rule };
}

const claimTarget = { kind: 'SandboxClaim', namespace, name: 'claim' };
const patch = (
  purpose: string,
  target: object,
  subresource: string | null,
  precondition: object,
  body: object,
) => ({
  kind: 'patch',
  purpose,
  target,
  subresource,
  precondition,
  patch: body,
  deadlineMs: 5_000,
});
const status = (purpose: string, fields: object) =>
  patch(purpose, claimTarget, 'status', { resourceVersion: '7' }, { status: fields });
const failing = (rule: string) => ({ action: status('fail', { phase: 'Failed', reason: rule }), rule });
const reading = (rule: string) => ({ action: { kind: 'read', deadlineMs: 5_000 }, rule });
const nothing = (rule: string) => ({ action: null, rule });
const deletePod = (number: number, rule: string) => ({
  action: {
    kind: 'delete',
    purpose: 'delete-pod',
    target: { kind: 'Pod', namespace, name: `husk-${number}` },
    precondition: { uid: `uid-husk-${number}` },
    deadlineMs: 5_000,
  },
  rule,
});
const reach = {
  pod: nameOf(1),
  address: '10.0.0.1',
  identity: { namespace, podUid: 'uid-husk-1' },
  holder: me,
};

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
