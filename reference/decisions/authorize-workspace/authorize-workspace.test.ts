/** Anything that is no request is denied, and nothing makes the decision throw. */
import { describe, expect, test } from 'vitest';
import { authorizeWorkspace } from './authorize-workspace.ts';

const controller = 'system:serviceaccount:mitos-system:controller';
const collector = 'system:serviceaccount:kube-system:generic-garbage-collector';
const policy = { controllers: [controller], collectors: [collector] };

const stored = {
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'Workspace',
  metadata: {
    namespace: 'team-a',
    name: 'ws',
    labels: { app: 'x' },
    annotations: { 'workspace.mitos.run/hydrated': 'ws-r1' },
    finalizers: ['foregroundDeletion'],
  },
  spec: { size: '1Gi' },
  status: { head: { name: 'ws-r1', uid: 'uid-r1' } },
};

function reviewOf(username: string, fields: object = {}) {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'uid-request',
      kind: { group: 'mitos.run', version: 'v1alpha1', kind: 'Workspace' },
      resource: { group: 'mitos.run', version: 'v1alpha1', resource: 'workspaces' },
      namespace: 'team-a',
      name: 'ws',
      operation: 'UPDATE',
      userInfo: { username, groups: ['system:authenticated'] },
      object: stored,
      oldObject: stored,
      ...fields,
    },
  };
}

const verdictOf = (username: string, fields: object = {}) =>
  authorizeWorkspace(policy, reviewOf(username, fields)).verdict;

const withMetadata = (metadata: object) => ({ ...stored, metadata: { ...stored.metadata, ...metadata } });

describe('a workspace', () => {
  test('is always its author’s, but for what the controller writes', () => {
    expect(verdictOf('alice')).toBe('allow');
    expect(verdictOf('alice', { object: { ...stored, spec: { size: '2Gi' } } })).toBe('allow');
    expect(verdictOf('alice', { object: { ...stored, status: {} } })).toBe('deny');
    expect(verdictOf('alice', { object: { ...stored, spec: { memorySnapshotPrincipal: 'x' } } })).toBe(
      'deny',
    );
    expect(verdictOf('alice', { subResource: 'status' })).toBe('deny');
    expect(verdictOf(controller, { subResource: 'status' })).toBe('allow');
  });

  test('is never steered by its author, in whatever case the key is written', () => {
    for (const key of [
      'workspace.mitos.run/hydrate',
      'Workspace.mitos.run/hydrate',
      'WORKSPACE.MITOS.RUN/x',
    ]) {
      const annotations = { ...stored.metadata.annotations, [key]: 'now' };
      expect(verdictOf('alice', { object: withMetadata({ annotations }) }), key).toBe('deny');
      expect(verdictOf('alice', { object: withMetadata({ labels: { [key]: 'now' } }) }), key).toBe('deny');
    }
    expect(verdictOf('alice', { object: withMetadata({ annotations: {} }) })).toBe('deny');
  });

  test('is never renamed, moved or made another kind on its way', () => {
    expect(verdictOf(controller, { object: withMetadata({ name: 'ws-2' }) })).toBe('deny');
    expect(verdictOf(controller, { object: withMetadata({ namespace: 'team-b' }) })).toBe('deny');
    expect(verdictOf(controller, { object: { ...stored, kind: 'WorkspaceRevision' } })).toBe('deny');
  });

  test('always loses finalizers to the garbage collector, and never gains one', () => {
    expect(verdictOf(collector, { object: withMetadata({ finalizers: [] }) })).toBe('allow');
    expect(verdictOf(collector, { object: withMetadata({ finalizers: ['foregroundDeletion', 'x'] }) })).toBe(
      'deny',
    );
    expect(verdictOf(collector, { object: withMetadata({ finalizers: [], labels: {} }) })).toBe('deny');
    expect(verdictOf(collector, { operation: 'CREATE', oldObject: null })).toBe('deny');
  });
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { deeper: value };
  return value;
}

/** Work that grew with the square of the input would take minutes. */
const quadraticMs = 5000;

const junk: readonly unknown[] = [
  null,
  undefined,
  7,
  '',
  'text',
  false,
  [],
  [null],
  ['workspaces'],
  {},
  { metadata: null },
  JSON.parse('{"__proto__": {"kind": "Workspace"}}'),
  JSON.parse('{"constructor": 1, "hasOwnProperty": null}'),
  nested(10_000),
];

/** The value with each of its places replaced by the junk in turn. */
function* spoiled(value: unknown, bad: unknown): Generator<unknown> {
  yield bad;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    for (const worse of spoiled(part, bad)) {
      yield Array.isArray(value)
        ? value.map((one, index) => (String(index) === key ? worse : one))
        : { ...value, [key]: worse };
    }
  }
}

describe('whatever JSON comes in', () => {
  test.each(junk.map((bad, index) => ({ bad, index })))(
    'is never answered by a throw: junk $index',
    ({ bad }) => {
      for (const username of ['alice', controller, collector]) {
        for (const operation of ['CREATE', 'UPDATE', 'DELETE']) {
          const object = operation === 'DELETE' ? null : stored;
          const oldObject = operation === 'CREATE' ? null : stored;
          for (const worse of spoiled(reviewOf(username, { operation, object, oldObject }), bad)) {
            const { verdict, rule } = authorizeWorkspace(policy, worse);
            expect(['allow', 'deny']).toContain(verdict);
            expect(rule).not.toBe('');
          }
        }
      }
    },
  );

  test('a review that is none is always denied', () => {
    for (const bad of junk) expect(authorizeWorkspace(policy, bad).verdict).toBe('deny');
  });

  test('a megabyte of labels takes bounded time', () => {
    const labels = Object.fromEntries(
      Array.from({ length: 50_000 }, (_, index) => [`label-${index}`, 'x'.repeat(16)]),
    );
    const started = performance.now();
    expect(verdictOf('alice', { object: withMetadata({ labels }) })).toBe('allow');
    expect(verdictOf(collector, { object: withMetadata({ labels }) })).toBe('deny');
    expect(performance.now() - started).toBeLessThan(quadraticMs);
  });

  test('a policy without names lets nobody write a head', () => {
    const nobody = { controllers: [], collectors: [] };
    expect(authorizeWorkspace(nobody, reviewOf(controller, { subResource: 'status' })).verdict).toBe('deny');
  });
});
