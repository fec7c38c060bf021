/** A fork's life, step by step: its source by UID, its snapshot once, a seat for each child. */
import { describe, expect, test } from 'vitest';
import { claimOf, husk, namespace, recordOf, step } from './claim-samples.ts';
import { memoryAtStart } from './claim-step.ts';

describe('a fork', () => {
  const fork = (status: object, spec: object = {}) => ({
    owner: { kind: 'SandboxFork', namespace, name: 'fork', uid: 'uid-claim' } as const,
    object: claimOf(status, { name: 'fork' }, { sourceRef: 'source', ...spec }),
  });
  const source = (spec: object = {}) => ({
    metadata: { namespace, name: 'source', uid: 'uid-source' },
    spec,
    status: { phase: 'Ready', husk: { pod: recordOf(1).pod } },
  });
  const bound = { source: { claim: 'uid-source', pod: recordOf(1).pod }, attempts: 1 };
  const sourceHeld = {
    ledger: [recordOf(1, 'uid-source')],
    pods: [husk(1, 'uid-source')],
  };

  test('binds its source by UID, with the pod that it holds', () => {
    expect(step({ ...fork({}), source: source() }).actions[0]).toHaveProperty('patch.status', {
      source: { claim: 'uid-source', pod: recordOf(1).pod },
    });
  });

  test('refuses a source that holds secrets unless inheritance was allowed', () => {
    const holder = source({ secrets: [{ name: 'db', secretRef: 'db' }] });
    expect(step({ ...fork({}), source: holder }).actions).toMatchObject([{ purpose: 'fail' }]);
    const inEnvironment = source({
      env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'db', key: 'x' } } }],
    });
    expect(step({ ...fork({}), source: inEnvironment }).actions).toMatchObject([{ purpose: 'fail' }]);
    const allowed = fork({}, { allowSecretInheritance: true });
    expect(step({ ...allowed, source: holder }).actions).toMatchObject([{ purpose: 'bind-source' }]);
  });

  test('notes the attempt before the call, and takes the snapshot from the pod of the ledger', () => {
    expect(step({ ...fork({ ...bound, attempts: 0 }), ...sourceHeld }).actions[0]).toHaveProperty(
      'patch.status',
      { attempts: 1 },
    );
    const memory = { ...memoryAtStart, snapshotAttempt: 1 };
    expect(step({ ...fork(bound), ...sourceHeld }, memory).actions).toMatchObject([
      { kind: 'snapshot', identity: { podUid: 'uid-husk-1' }, holder: 'uid-source' },
    ]);
  });

  test('never takes a snapshot of a pod that the ledger holds for another', () => {
    const memory = { ...memoryAtStart, snapshotAttempt: 1 };
    const { actions } = step({ ...fork(bound), ledger: [recordOf(1, 'uid-other')], live: true }, memory);
    expect(actions).toMatchObject([{ purpose: 'fail' }]);
  });

  test('gives each child a holder of its own', () => {
    const { actions } = step(fork({ ...bound, forkSnapshotTaken: 'sha256:1' }, { replicas: 2 }));
    expect(actions).toMatchObject([{ purpose: 'mark', patch: { holder: 'uid-claim.0' } }]);
  });

  test.each([0, 65, 1.5, '2'])('refuses %j replicas', (replicas) => {
    const { actions } = step(fork({ ...bound, forkSnapshotTaken: 'sha256:1' }, { replicas }));
    expect(actions).toMatchObject([{ purpose: 'fail' }]);
  });
});
