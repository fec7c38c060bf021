/** A fork’s life, rule by rule: its source, its snapshot, its children and its end. */
import { describe, expect, test } from 'vitest';
import type { ClaimEvent, ClaimMemory } from './claim-events.ts';
import {
  config,
  createdAt,
  husk,
  nameOf,
  namespace,
  nowMs,
  pool,
  reading,
  recordOf,
} from './claim-samples.ts';
import { memoryAtStart, stepClaim } from './claim-step.ts';

const me = 'uid-fork';

const forkOf = (status: object = {}, metadata: object = {}, spec: object = {}) => ({
  metadata: {
    namespace,
    name: 'fork',
    uid: me,
    resourceVersion: '7',
    creationTimestamp: createdAt,
    finalizers: ['mitos.run/husk'],
    ...metadata,
  },
  spec,
  status,
});

const sourceOf = (changes: object = {}, status: object = {}) => ({
  metadata: { namespace, name: 'source', uid: 'uid-source' },
  spec: {},
  status: { phase: 'Ready', husk: { pod: nameOf(1) }, ...status },
  ...changes,
});

const bound = { source: { claim: 'uid-source', pod: nameOf(1) }, attempts: 1 };

const sourceHeld = { ledger: [recordOf(1, 'uid-source')], pods: [husk(1, 'uid-source')] };

const calling = { ...memoryAtStart, snapshotAttempt: 1 };

function step(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  return stepClaim(config, memory, {
    nowMs,
    leading: true,
    owner: { kind: 'SandboxFork', namespace, name: 'fork', uid: me },
    object: forkOf(),
    live: false,
    authorized: null,
    source: sourceOf(),
    pool,
    ledger: [recordOf(1)],
    pods: [husk(1)],
    last: null,
    ...event,
  });
}

function said(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  const { actions, rule } = step(event, memory);
  expect(actions.length).toBeLessThan(2);
  return { action: actions[0] ?? null, rule };
}

const write = (purpose: string, subresource: string | null, precondition: object, patch: object) => ({
  kind: 'patch',
  purpose,
  target: { kind: 'SandboxFork', namespace, name: 'fork' },
  subresource,
  precondition,
  patch,
  deadlineMs: 5_000,
});

const status = (purpose: string, fields: object) =>
  write(purpose, 'status', { resourceVersion: '7' }, { status: fields });

const failing = (rule: string) => ({ action: status('fail', { phase: 'Failed', reason: rule }), rule });

const finalizers = (purpose: string, left: string[], rule: string) => ({
  action: write(purpose, null, { uid: me, resourceVersion: '7' }, { metadata: { finalizers: left } }),
  rule,
});

describe('a fork that begins', () => {
  test('always gets its finalizer first', () => {
    expect(said({ object: forkOf({}, { finalizers: ['own'] }) })).toEqual(
      finalizers('finalize', ['own', 'mitos.run/husk'], 'its finalizer before anything is held'),
    );
  });

  const binds = {
    action: status('bind-source', { source: { claim: 'uid-source', pod: nameOf(1) } }),
    rule: 'bind the source by UID',
  };

  test('always binds its source by UID, with the pod that it holds', () => {
    expect(said({})).toEqual(binds);
    for (const half of [
      { claim: 'uid-source' },
      { pod: nameOf(1) },
      { claim: 'uid-source', pod: { name: 'x' } },
    ]) {
      expect(said({ object: forkOf({ source: half }) })).toEqual(binds);
    }
  });

  test.each<[string, unknown]>([
    ['is not there', null],
    ['has no UID', sourceOf({ metadata: { namespace } })],
    ['is of another namespace', sourceOf({ metadata: { namespace: 'team-b', uid: 'uid-source' } })],
  ])('always looks again, then fails, when its source %s', (_, source) => {
    expect(said({ source })).toEqual(reading('no source: read again'));
    expect(said({ source, live: true })).toEqual(failing('there is no such source'));
  });

  test('always fails when its source is not Ready or holds no husk', () => {
    expect(said({ source: sourceOf({}, { phase: 'Restoring' }) })).toEqual(
      failing('the source is not Ready'),
    );
    expect(said({ source: sourceOf({}, { husk: null }) })).toEqual(failing('the source is not Ready'));
  });

  test.each<[string, object]>([
    ['that are listed', { secrets: [{ name: 'x', secretRef: 'db' }] }],
    ['that nobody can read', { secrets: 'db' }],
  ])('never inherits Secrets %s, unless that was allowed', (_, spec) => {
    const source = sourceOf({ spec });
    const rule = 'the source holds secrets, and inheritance is not allowed';
    expect(said({ source })).toEqual(failing(rule));
    expect(said({ source, object: forkOf({}, {}, { allowSecretInheritance: 'true' }) })).toEqual(
      failing(rule),
    );
    expect(said({ source, object: forkOf({}, {}, { allowSecretInheritance: true }) })).toEqual(binds);
  });
});

describe('the snapshot of a source', () => {
  const noted = (attempts: number) => ({
    action: status('bind-source', { attempts }),
    rule: 'note the attempt before the call',
  });

  test('is always noted as an attempt before it is asked for', () => {
    expect(said({ ...sourceHeld, object: forkOf({ source: bound.source }) })).toEqual(noted(1));
    expect(said({ ...sourceHeld, object: forkOf(bound) })).toEqual(noted(2));
    expect(step({ ...sourceHeld, object: forkOf(bound) }).state).toEqual({
      ...memoryAtStart,
      snapshotAttempt: 2,
    });
    // Another attempt than the one that this process noted.
    expect(said({ ...sourceHeld, object: forkOf({ ...bound, attempts: 2 }) }, calling)).toEqual(noted(3));
    expect(said({ ...sourceHeld, object: forkOf(bound) }, { ...calling, snapshotAttempt: -1 })).toEqual(
      noted(2),
    );
  });

  test('is never asked for more often than the cap says', () => {
    expect(said({ ...sourceHeld, object: forkOf({ ...bound, attempts: 3 }) })).toEqual(
      failing('attempts are used up'),
    );
    expect(said({ ...sourceHeld, object: forkOf({ ...bound, attempts: 2 }) })).toEqual(noted(3));
    expect(said({ ...sourceHeld, object: forkOf({ ...bound, attempts: 'x' }) })).toEqual(
      failing('attempts are used up'),
    );
    expect(said({ ...sourceHeld, object: forkOf({ ...bound, attempts: '1' }) })).toEqual(
      failing('attempts are used up'),
    );
  });

  test('is always asked of the pod that the ledger holds for the source, once', () => {
    const event = { ...sourceHeld, object: forkOf(bound) };
    expect(said(event, calling)).toEqual({
      action: {
        kind: 'snapshot',
        pod: nameOf(1),
        address: '10.0.0.1',
        identity: { namespace, podUid: 'uid-husk-1' },
        holder: 'uid-source',
        deadlineMs: 10_000,
      },
      rule: 'take the snapshot',
    });
    expect(step(event, calling).state).toEqual({ ...calling, snapshotAttempt: -1 });
  });

  test('is never asked of a pod that may not be reached', () => {
    const event = { object: forkOf(bound), ledger: [recordOf(1, 'uid-other')], pods: sourceHeld.pods };
    expect(said(event, calling)).toEqual(reading('the source may not be reached: read again'));
    expect(said({ ...event, live: true }, calling)).toEqual(failing('the source may not be reached'));
    expect(said({ ...sourceHeld, object: forkOf(bound), pool: null }, calling)).toEqual(
      failing('there is no such pool'),
    );
  });

  test('is always noted once it is taken', () => {
    expect(said({ object: forkOf(bound) }, { ...memoryAtStart, snapshot: 'sha256:1' })).toEqual({
      action: status('snapshot-taken', { forkSnapshotTaken: 'sha256:1' }),
      rule: 'note the snapshot',
    });
  });
});

const taken = { ...bound, forkSnapshotTaken: 'sha256:1' };
const forked = (fields: object = {}, spec: object = {}, metadata: object = {}) =>
  forkOf({ ...taken, ...fields }, metadata, spec);
const marks = (holder: string) => ({
  action: {
    kind: 'patch',
    purpose: 'mark',
    target: { kind: 'HuskRecord', namespace: 'mitos-system', name: 'uid-husk-1' },
    subresource: null,
    precondition: { resourceVersion: '201' },
    patch: { holder },
    deadlineMs: 5_000,
  },
  rule: 'mark it for this holder alone',
});
const failed = { phase: 'Failed', reason: 'x' };
const ready = { phase: 'Ready', husk: { pod: nameOf(2), attempt: 1, by: 'x' }, attempts: 1 };

describe('the children of a fork', () => {
  test.each([0, -1, 65, 1.5, '2', Number.NaN])('are never %j', (replicas) => {
    const rule = 'replicas is not an integer from 1 to 64';
    expect(said({ object: forked({}, { replicas }) })).toEqual(failing(rule));
  });

  test('are one unless it is said otherwise, and at most 64', () => {
    expect(said({ object: forked() })).toEqual(marks(`${me}.0`));
    expect(said({ object: forked({}, { replicas: null }) })).toEqual(marks(`${me}.0`));
    expect(said({ object: forked({ forks: [failed] }) })).toEqual({
      action: status('publish', { phase: 'Failed' }),
      rule: 'every child is settled',
    });
    const most = Array.from({ length: 63 }, () => failed);
    expect(said({ object: forked({ forks: most }, { replicas: 64 }) })).toEqual(marks(`${me}.63`));
  });

  test('never begin without a pool, and wait no longer than a claim', () => {
    expect(said({ pool: null, object: forked() })).toEqual(failing('there is no such pool'));
    const late = (afterMs: number, metadata: object = {}) =>
      said({
        ledger: [],
        pods: [],
        object: forked({}, {}, metadata),
        nowMs: Date.parse(createdAt) + afterMs,
      });
    const gaveUp = { phase: 'Failed', reason: 'no husk in time' };
    expect(late(60_000).action).toEqual({ kind: 'wait', afterMs: 1_000 });
    expect(late(60_001).action).toEqual(status('fail', { forks: [gaveUp] }));
    expect(late(0, { creationTimestamp: 'never' }).action).toEqual(status('fail', { forks: [gaveUp] }));
    const early = {
      ledger: [],
      pods: [],
      object: forked({}, {}, { creationTimestamp: 'never' }),
      nowMs: 1_000,
    };
    expect(said(early).action).toEqual(status('fail', { forks: [gaveUp] }));
  });
});

describe('the seats of children', () => {
  test('are always written in their own place, beside the others as they stand', () => {
    const object = forked({ forks: [failed, { token: { name: 't', uid: 'u' } }, 'odd'] }, { replicas: 3 });
    const event = { ledger: [recordOf(1, `${me}.1`)], pods: [husk(1, `${me}.1`)], object };
    expect(said(event).action).toEqual(
      status('intend', {
        forks: [
          failed,
          {
            phase: 'Restoring',
            husk: { pod: nameOf(1), attempt: 1, by: config.identity },
            attempts: 1,
            token: { name: 't', uid: 'u' },
          },
          {},
        ],
      }),
    );
  });

  test('are always delivered the snapshot, and no Secret', () => {
    const attempt = {
      holder: `${me}.0`,
      podUid: 'uid-husk-1',
      number: 1,
      fresh: true,
      progress: 'proved',
    } as const;
    const child = {
      phase: 'Restoring',
      husk: { pod: nameOf(1), attempt: 1, by: config.identity },
      attempts: 1,
      token: { name: 't', uid: 'u' },
    };
    const event = {
      ledger: [recordOf(1, `${me}.0`)],
      pods: [husk(1, `${me}.0`)],
      object: forked({ forks: [child] }),
    };
    expect(said(event, { ...memoryAtStart, attempt }).action).toMatchObject({
      kind: 'deliver',
      holder: `${me}.0`,
      secrets: [],
      snapshot: 'sha256:1',
    });
  });

  test('make the fork Ready as soon as all are settled and one is, else Failed, said once', () => {
    const served = { ledger: [recordOf(2, `${me}.1`)], pods: [husk(2, `${me}.1`)] };
    const object = forked({ forks: [failed, ready] }, { replicas: 2 });
    expect(said({ ...served, object })).toEqual({
      action: status('publish', { phase: 'Ready' }),
      rule: 'every child is settled',
    });
    const done = forked({ forks: [failed, ready], phase: 'Ready' }, { replicas: 2 });
    expect(said({ ...served, object: done })).toEqual({ action: null, rule: 'every child is settled' });
  });
});

describe('the end of a fork', () => {
  const deleted = (changes: object = {}) => forkOf({}, { deletionTimestamp: createdAt, ...changes });
  const goes = (rule: string) => ({
    action: {
      kind: 'delete',
      purpose: 'delete-pod',
      target: { kind: 'Pod', namespace, name: 'husk-1' },
      precondition: { uid: 'uid-husk-1' },
      deadlineMs: 5_000,
    },
    rule,
  });
  const children = { ledger: [recordOf(2), recordOf(3, `${me}x.0`), recordOf(1, `${me}.5`)] };

  test('always takes every child, looks again, and takes its finalizer off last', () => {
    expect(said({ ...children, object: deleted() })).toEqual(goes('the fork ends: its pod goes'));
    expect(said({ object: deleted() })).toEqual(reading('nothing held: read again'));
    expect(said({ object: deleted({ finalizers: ['a', 'mitos.run/husk'] }), live: true })).toEqual(
      finalizers('unfinalize', ['a'], 'nothing is left of it'),
    );
    expect(said({ object: deleted({ finalizers: [] }), live: true })).toEqual({
      action: null,
      rule: 'nothing is left of it',
    });
  });

  test('always takes the children of one that failed, and leaves the fork', () => {
    const object = forkOf({ phase: 'Failed' });
    expect(said({ ...children, object })).toEqual(goes('the fork ends: its pod goes'));
    expect(said({ object, live: true })).toEqual({ action: null, rule: 'nothing is left of it' });
  });
});
