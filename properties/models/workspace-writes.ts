/**
 * Writes of workspaces, revisions and claims as the API server hands them to admission: who, what, before and
 * after, and which of it is the controller's alone.
 */

export type Json = Readonly<Record<string, unknown>>;
export type Kind = 'Workspace' | 'WorkspaceRevision' | 'SandboxClaim';
export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

export const policy = {
  controllers: ['system:serviceaccount:mitos-system:controller'],
  collectors: [
    'system:serviceaccount:kube-system:generic-garbage-collector',
    'system:serviceaccount:kube-system:namespace-controller',
  ],
};
export const [controller] = policy.controllers as [string];
export const [garbageCollector, namespaceController] = policy.collectors as [string, string];

export const group = 'mitos.run';
export const version = 'v1alpha1';
export const namespace = 'team-a';

export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Json;
  readonly spec: Json;
  readonly status?: Json;
}

function stored(kind: Kind, name: string, spec: Json, more: Json = {}): StoredObject {
  const metadata = { namespace, name, uid: `uid-${name}`, resourceVersion: '7', generation: 1, ...more };
  return { apiVersion: `${group}/${version}`, kind, metadata, spec };
}

const owner = {
  apiVersion: `${group}/${version}`,
  kind: 'Workspace',
  name: 'ws',
  uid: 'uid-ws',
  controller: true,
  blockOwnerDeletion: true,
};

/** As they are in use: the controller has written its part. */
export const objects: Readonly<Record<Kind, StoredObject>> = {
  Workspace: {
    ...stored(
      'Workspace',
      'ws',
      { size: '1Gi' },
      { annotations: { 'workspace.mitos.run/dehydrate': 'never', note: 'mine' }, labels: { app: 'x' } },
    ),
    status: { head: { name: 'ws-r1', uid: 'uid-ws-r1' }, revisions: 1 },
  },
  WorkspaceRevision: stored(
    'WorkspaceRevision',
    'ws-r1',
    { workspaceRef: 'ws', memorySnapshot: 'sha256:5a5a', memorySnapshotPrincipal: 'agent' },
    { ownerReferences: [owner], finalizers: ['mitos.run/memory', 'foregroundDeletion'] },
  ),
  SandboxClaim: {
    ...stored(
      'SandboxClaim',
      'claim',
      { poolRef: 'pool', serviceAccount: 'agent', workspaceRef: 'ws' },
      { annotations: { 'workspace.mitos.run/hydrated': 'ws-r1' }, finalizers: ['mitos.run/husk'] },
    ),
    status: { phase: 'Ready' },
  },
};

/** As an author makes them: nothing of the controller's in them. */
export const fresh: Readonly<Record<Kind, StoredObject>> = {
  Workspace: stored('Workspace', 'ws', { size: '1Gi' }),
  WorkspaceRevision: stored('WorkspaceRevision', 'ws-r2', {
    workspaceRef: 'ws',
    memorySnapshot: 'sha256:5a5a',
    memorySnapshotPrincipal: 'agent',
  }),
  SandboxClaim: stored('SandboxClaim', 'claim', { poolRef: 'pool', workspaceRef: 'ws' }),
};

export interface Write {
  readonly says: string;
  readonly kind: Kind;
  readonly subresource?: 'status';
  readonly operation: Operation;
  readonly before: StoredObject | null;
  readonly after: StoredObject | null;
  /** A collection, or generateName: the request carries no name. */
  readonly nameless?: true;
}

export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

const resources: Readonly<Record<Kind, string>> = {
  Workspace: 'workspaces',
  WorkspaceRevision: 'workspacerevisions',
  SandboxClaim: 'sandboxclaims',
};

/** The whole AdmissionReview. */
export function reviewOf(write: Write, user: User): Json {
  const { kind, operation, before, after, subresource, nameless } = write;
  const gvk = { group, version, kind };
  const gvr = { group, version, resource: resources[kind] };
  const name = nameless === true ? {} : { name: (after ?? before)?.metadata.name };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'uid-request',
      kind: gvk,
      resource: gvr,
      ...(subresource === undefined ? {} : { subResource: subresource }),
      requestKind: gvk,
      requestResource: gvr,
      ...name,
      namespace,
      operation,
      userInfo: { groups: ['system:authenticated'], ...user },
      object: after,
      oldObject: before,
      dryRun: false,
      options: {
        apiVersion: 'meta.k8s.io/v1',
        kind: `${operation[0]}${operation.slice(1).toLowerCase()}Options`,
      },
    },
  };
}

export function withMetadata(object: StoredObject, metadata: Json): StoredObject {
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

/** One more label or annotation, or one less (undefined). */
export function withEntry(
  object: StoredObject,
  map: 'labels' | 'annotations',
  name: string,
  value: string | undefined,
): StoredObject {
  const entries = { ...(object.metadata[map] as Json | undefined), [name]: value };
  const kept = Object.entries(entries).filter(([, one]) => one !== undefined);
  return withMetadata(object, { [map]: Object.fromEntries(kept) });
}

export function withSpec(object: StoredObject, spec: Json): StoredObject {
  return { ...object, spec: { ...object.spec, ...spec } };
}

export function withStatus(object: StoredObject, status: Json): StoredObject {
  return { ...object, status: { ...object.status, ...status } };
}

export function describeWrite(
  { says, kind, subresource, operation }: Write,
  { username, groups }: User,
): string {
  const resource = [resources[kind], subresource].filter((part) => part !== undefined).join('/');
  const member = groups === undefined ? '' : ` (${groups.join(', ')})`;
  return `${username}${member}: ${operation} ${resource}: ${says}`;
}
