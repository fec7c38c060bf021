/** Writes of workspaces, revisions and claims rule by rule: who may, what is guarded, what is no request. */
import { describe, expect, test } from 'vitest';
import { authorizeWorkspace } from './authorize-workspace.ts';

const policy = { controllers: ['controller'], collectors: ['collector'] };
const plural = {
  Workspace: 'workspaces',
  WorkspaceRevision: 'workspacerevisions',
  SandboxClaim: 'sandboxclaims',
};
type Kind = keyof typeof plural;
type Fields = Readonly<Record<string, unknown>>;

const objectOf = (kind: string, fields: Fields = {}, metadata: Fields = {}) => ({
  apiVersion: 'mitos.run/v1alpha1',
  kind,
  metadata: { namespace: 'team-a', name: 'ws', ...metadata },
  spec: { size: '1Gi' },
  ...fields,
});
const requestOf = (kind: Kind, fields: Fields = {}) => ({
  uid: 'uid-request',
  kind: { group: 'mitos.run', version: 'v1alpha1', kind },
  resource: { group: 'mitos.run', version: 'v1alpha1', resource: plural[kind] },
  namespace: 'team-a',
  name: 'ws',
  operation: 'UPDATE',
  userInfo: { username: 'alice' },
  object: objectOf(kind),
  oldObject: objectOf(kind),
  ...fields,
});
const review = (request: unknown, fields: Fields = {}) =>
  authorizeWorkspace(policy, {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request,
    ...fields,
  });
const judge = (fields: Fields = {}, kind: Kind = 'Workspace') => review(requestOf(kind, fields));
const by = (username: string, fields: Fields = {}) => ({ userInfo: { username }, ...fields });
const allow = (rule: string) => ({ verdict: 'allow', rule });
const deny = (rule: string) => ({ verdict: 'deny', rule });
const creating = { operation: 'CREATE', oldObject: null };
const deleting = { operation: 'DELETE', object: null };

describe('a review', () => {
  const known = { group: 'mitos.run', version: 'v1alpha1' };

  test('is only read in its version and kind', () => {
    const request = requestOf('Workspace');
    expect(review(request, { apiVersion: 'admission.k8s.io/v1beta1' })).toEqual(
      deny('review: of an unknown version'),
    );
    expect(review(request, { kind: 'Status' })).toEqual(deny('review: of an unknown kind'));
    expect(authorizeWorkspace(policy, null)).toEqual(deny('review: of an unknown version'));
  });

  const unknown = 'request: of an unknown kind, resource or version';
  test.each<[string, Fields]>([
    ['request: no uid', { uid: '' }],
    [unknown, { kind: { ...known, kind: 'Pod' } }],
    [unknown, { kind: { ...known, kind: 'Workspace', group: 'x' } }],
    [unknown, { kind: { ...known, kind: 'Workspace', version: 'v1' } }],
    [unknown, { resource: { ...known, resource: 'workspacerevisions' } }],
    [unknown, { resource: { ...known, resource: 'workspaces', group: 'x' } }],
    [unknown, { resource: { ...known, resource: 'workspaces', version: 'v1' } }],
    [unknown, { resource: null }],
    ['request: of an unknown subresource', { subResource: 'scale' }],
    ['request: of an unknown operation', { operation: 'CONNECT' }],
    ['request: of an unknown operation', { operation: undefined }],
    ['request: of nobody', { userInfo: { username: '' } }],
    ['request: object and operation differ', { object: null }],
    ['request: object and operation differ', { operation: 'DELETE' }],
    ['request: old object and operation differ', { oldObject: null }],
    ['request: old object and operation differ', { operation: 'CREATE' }],
    ['request: without a namespace', { namespace: '' }],
    ['object: of another name than the request', { name: 'other' }],
    ['object: of another name than the request', { name: undefined }],
    ['object: of another name than the request', { oldObject: objectOf('Workspace', {}, { name: 'other' }) }],
    ['object: of another name than the request', { ...deleting, name: 'other' }],
  ])('that is no request is always denied by name: %s', (rule, fields) => {
    expect(judge(fields)).toEqual(deny(rule));
    expect(judge({ ...by('controller'), ...fields }).verdict).toBe('deny');
  });

  test.each<[string, unknown]>([
    ['of another kind', objectOf('WorkspaceRevision')],
    ['of another version', objectOf('Workspace', { apiVersion: 'mitos.run/v1' })],
    ['without metadata', objectOf('Workspace', { metadata: null })],
    ['of another namespace', objectOf('Workspace', {}, { namespace: 'team-b' })],
    ['with text for a spec', objectOf('Workspace', { spec: 'x' })],
    ['with a list for labels', objectOf('Workspace', {}, { labels: [] })],
    ['with a number for a label', objectOf('Workspace', {}, { labels: { a: 'x', b: 7 } })],
    ['with text for annotations', objectOf('Workspace', {}, { annotations: 'x' })],
    ['that is a list', [objectOf('Workspace')]],
  ])('of an object %s is always denied, the old one too', (_, object) => {
    const rule = deny('object: malformed, of another kind or of another namespace');
    expect(judge({ object })).toEqual(rule);
    expect(judge({ oldObject: object })).toEqual(rule);
  });

  test.each<[string, Fields]>([
    ['namespace of the object', { object: objectOf('Workspace', {}, { namespace: null }) }],
    [
      'spec',
      {
        object: objectOf('Workspace', { spec: undefined }),
        oldObject: objectOf('Workspace', { spec: null }),
      },
    ],
    ['labels and annotations', { object: objectOf('Workspace', {}, { labels: null, annotations: {} }) }],
    ['subresource', { subResource: null }],
    [
      'name of a create',
      { ...creating, name: undefined, object: objectOf('Workspace', {}, { name: undefined }) },
    ],
    ['old object of a create', { operation: 'CREATE', oldObject: undefined }],
  ])('may leave out the %s', (_, fields) => {
    expect(judge(fields)).toEqual(allow('nothing that only the controller writes'));
  });

  test('of a deletion may leave out the name', () => {
    expect(judge({ ...deleting, name: undefined })).toEqual(allow('its author deletes it'));
  });
});

describe('a writer', () => {
  const kinds: Kind[] = ['Workspace', 'WorkspaceRevision', 'SandboxClaim'];

  test.each(kinds)('that is the controller always writes a %s, its status too', (kind) => {
    for (const fields of [{}, creating, deleting, { subResource: 'status' }]) {
      expect(judge(by('controller', fields), kind)).toEqual(allow('the controller'));
    }
  });

  test.each(kinds)('that is anybody else never writes the status of a %s', (kind) => {
    for (const username of ['alice', 'collector']) {
      expect(judge(by(username, { subResource: 'status' }), kind)).toEqual(
        deny('status: only the controller writes it'),
      );
    }
  });

  test('that is an author never writes a revision, and always has his own workspaces and claims', () => {
    for (const fields of [{}, creating, deleting]) {
      expect(judge(fields, 'WorkspaceRevision')).toEqual(deny('revision: only the controller writes it'));
    }
    for (const kind of ['Workspace', 'SandboxClaim'] as const) {
      expect(judge(creating, kind)).toEqual(allow('nothing that only the controller writes'));
      expect(judge(deleting, kind)).toEqual(allow('its author deletes it'));
    }
  });
});

describe('what only the controller writes', () => {
  const steering = deny('only the controller writes what steers hydrate and dehydrate');
  const heads = deny('only the controller writes heads, revisions, memory and its principal');
  const status = deny('only the controller writes status');
  const deep = JSON.parse(`${'['.repeat(80)}1${']'.repeat(80)}`) as unknown;

  test.each<[object, Fields, Fields]>([
    [steering, {}, { annotations: { 'workspace.mitos.run/hydrated': 'x' } }],
    [steering, {}, { annotations: { 'Workspace.MITOS.run/Hydrated': 'x' } }],
    [steering, {}, { labels: { 'workspace.mitos.run/hydrated': 'x' } }],
    [heads, { spec: { size: '1Gi', memorySnapshot: 'x' } }, {}],
    [heads, { spec: { size: '1Gi', HeadRef: 'x' } }, {}],
    [heads, { spec: { size: '1Gi', revisionLimit: 1 } }, {}],
    [heads, { spec: { size: '1Gi', memory: deep } }, {}],
    [status, { status: { head: 'x' } }, {}],
    [status, { more: 1 }, {}],
  ])('is never added, changed or taken away by an author: %j', (rule, fields, metadata) => {
    const guarded = objectOf('Workspace', fields, metadata);
    expect(judge({ object: guarded })).toEqual(rule);
    expect(judge({ oldObject: guarded })).toEqual(rule);
    expect(judge({ ...creating, object: guarded })).toEqual(rule);
  });

  test('may stand as it stood, and be empty', () => {
    const kept = objectOf(
      'Workspace',
      { status: { head: 'x' }, spec: { memorySnapshot: 'm' } },
      { annotations: { 'workspace.mitos.run/a': 'x' } },
    );
    const mine = allow('nothing that only the controller writes');
    expect(judge({ object: kept, oldObject: kept })).toEqual(mine);
    expect(judge({ object: objectOf('Workspace', { status: {} }) })).toEqual(mine);
    expect(
      judge({ object: objectOf('Workspace', { status: null, spec: { head: null, memory: {} } }) }),
    ).toEqual(mine);
    expect(
      judge({
        object: objectOf(
          'Workspace',
          { spec: { size: '2Gi', xmemory: 1 } },
          { labels: { a: 'x' }, annotations: { b: 'y', 'xworkspace.mitos.run/a': 'z' } },
        ),
      }),
    ).toEqual(mine);
  });

  test('of a spec is a matter of workspaces alone', () => {
    const claim = objectOf('SandboxClaim', { spec: { memorySnapshot: 'x' } });
    expect(judge({ object: claim }, 'SandboxClaim')).toEqual(
      allow('nothing that only the controller writes'),
    );
    const steered = objectOf('SandboxClaim', {}, { annotations: { 'workspace.mitos.run/a': 'x' } });
    expect(judge({ object: steered }, 'SandboxClaim')).toEqual(steering);
  });
});

describe('the garbage collector', () => {
  const owner = { kind: 'Workspace', uid: 'u', blockOwnerDeletion: true };
  const held = (
    finalizers: unknown,
    ownerReferences: unknown = [owner],
    fields: Fields = {},
    metadata: Fields = {},
  ) => objectOf('WorkspaceRevision', fields, { finalizers, ownerReferences, ...metadata });
  const collect = (before: unknown, after: unknown) =>
    judge(by('collector', { oldObject: before, object: after }), 'WorkspaceRevision');
  const takes = allow('the garbage collector takes references away');
  const own = ['foregroundDeletion', 'orphan'];

  test('always deletes, and never creates', () => {
    expect(judge(by('collector', deleting), 'WorkspaceRevision')).toEqual(
      allow('the garbage collector deletes'),
    );
    expect(judge(by('collector', creating), 'WorkspaceRevision')).toEqual(
      deny('the garbage collector creates nothing'),
    );
  });

  test('always takes its own finalizers and owner references off, or unblocks them', () => {
    expect(collect(held([...own, 'mitos.run/x']), held(['mitos.run/x']))).toEqual(takes);
    expect(collect(held(own), held(undefined, undefined))).toEqual(takes);
    expect(collect(held(own), held(own, [{ ...owner, blockOwnerDeletion: false }]))).toEqual(takes);
    const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) as unknown;
    const unread = held(own, [{ ...owner, deep }]);
    expect(collect(unread, unread).verdict).toBe('deny');
    const moved = { resourceVersion: '8', generation: 2, managedFields: [1] };
    expect(collect(held(own), held(own, [owner], {}, moved))).toEqual(takes);
  });

  test.each<[string, unknown]>([
    ['a spec', held(own, [owner], { spec: { size: '2Gi' } })],
    ['a label', held(own, [owner], {}, { labels: { a: 'x' } })],
    ['a status', held(own, [owner], { status: { a: 1 } })],
  ])('never changes anything else: %s', (_, after) => {
    expect(collect(held(own), after)).toEqual(deny('the garbage collector changes nothing but references'));
  });

  test('never changes what has no text to compare', () => {
    const deep = JSON.parse(`${'['.repeat(80)}1${']'.repeat(80)}`) as unknown;
    const odd = held(own, [owner], { spec: { deep } });
    expect(collect(odd, odd)).toEqual(deny('the garbage collector changes nothing but references'));
  });

  test.each<[string, unknown]>([
    ['a finalizer', held([...own, 'new'])],
    ['an owner', held(own, [owner, { ...owner, uid: 'v' }])],
    ['another owner', held(own, [{ ...owner, uid: 'v' }])],
    ['an owner without text', held(own, [JSON.parse(`${'['.repeat(80)}1${']'.repeat(80)}`)])],
  ])('never adds %s', (_, after) => {
    expect(collect(held(own), after)).toEqual(deny('the garbage collector adds no references'));
  });

  test('never takes a finalizer off that is not its own', () => {
    expect(collect(held([...own, 'mitos.run/x']), held(own))).toEqual(
      deny('the garbage collector takes no finalizers off but its own'),
    );
  });
});
