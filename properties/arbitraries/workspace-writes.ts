/** Users and writes of workspaces: what must be denied, what must pass, and reviews that are none. */
import * as fc from 'fast-check';
import {
  controller,
  fresh,
  garbageCollector,
  type Json,
  type Kind,
  namespaceController,
  objects,
  type StoredObject,
  type User,
  type Write,
  withEntry,
  withMetadata,
  withSpec,
  withStatus,
} from '../models/workspace-writes.ts';

/** None of them is the controller. */
export const strangers: readonly User[] = [
  { username: 'alice' },
  { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
  { username: 'alice', groups: [controller, 'system:authenticated'] },
  { username: 'alice', uid: controller },
  { username: `${controller}-2` },
  { username: controller.slice(0, -1) },
  { username: `x:${controller}` },
  { username: `${controller} ` },
  { username: controller.toUpperCase() },
  { username: 'system:serviceaccount:team-a:controller' },
  { username: 'system:serviceaccount:mitos-system:husk' },
  { username: 'system:node:node-1', groups: ['system:nodes', 'system:authenticated'] },
];

/** They may take away, and write nothing. */
const collectors: readonly User[] = [{ username: garbageCollector }, { username: namespaceController }];

type Change = readonly [says: string, change: (object: StoredObject) => StoredObject];

const steering: readonly Change[] = [
  [
    'sets an annotation that hydrates',
    (one) => withEntry(one, 'annotations', 'workspace.mitos.run/hydrate', 'ws-r0'),
  ],
  ['sets a label that dehydrates', (one) => withEntry(one, 'labels', 'workspace.mitos.run/dehydrate', 'now')],
];

const steered: readonly Change[] = [
  [
    'changes what the controller steers by',
    (one) =>
      withEntry(withEntry(one, 'annotations', 'workspace.mitos.run/dehydrate', 'now'), 'labels', 'y', 'z'),
  ],
  ['takes away what the controller steers by', (one) => withMetadata(one, { annotations: { note: 'mine' } })],
];

const workspaceFields: readonly Change[] = [
  ['names a head in the status', (one) => withStatus(one, { head: { name: 'forged', uid: 'uid-forged' } })],
  ['names a head in the spec', (one) => withSpec(one, { head: 'forged' })],
  ['names a memory', (one) => withSpec(one, { memorySnapshot: 'sha256:5a5a' })],
  ['names a principal of the memory', (one) => withSpec(one, { memorySnapshotPrincipal: 'agent' })],
  ['has a status that is nested too deeply', (one) => withStatus(one, { deep: nested(200) })],
];

const claimFields: readonly Change[] = [
  ['names a husk in the status', (one) => withStatus(one, { husk: { pod: { uid: 'uid-own' } } })],
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { deeper: value };
  return value;
}

function creates(kind: Kind, [says, change]: Change): Write {
  return { says, kind, operation: 'CREATE', before: null, after: change(fresh[kind]) };
}

function updates(kind: Kind, [says, change]: Change): Write {
  return { says, kind, operation: 'UPDATE', before: objects[kind], after: change(objects[kind]) };
}

function status(kind: Kind, [says, change]: Change): Write {
  return { ...updates(kind, [says, change]), subresource: 'status' };
}

function deletes(kind: Kind, says: string): Write {
  return { says, kind, operation: 'DELETE', before: objects[kind], after: null };
}

const asItIs: Change = ['as it is', (one) => one];
const revisionChanges: readonly Change[] = [
  ['names another memory', (one) => withSpec(one, { memorySnapshot: 'sha256:0bad' })],
  ['names another principal', (one) => withSpec(one, { memorySnapshotPrincipal: 'other' })],
  ['names another workspace', (one) => withSpec(one, { workspaceRef: 'own' })],
  ['has another owner', (one) => withMetadata(one, { ownerReferences: [] })],
  ['has another label', (one) => withEntry(one, 'labels', 'app', 'y')],
];

const steeringWrites: readonly Write[] = (['Workspace', 'SandboxClaim'] as const).flatMap((kind) => [
  ...steering.map((change) => creates(kind, change)),
  ...[...steering, ...steered].map((change) => updates(kind, change)),
]);

/** What is there already is nested too deeply to be compared. */
const tooDeep: Write = {
  says: 'changes a status that is nested too deeply',
  kind: 'Workspace',
  operation: 'UPDATE',
  before: withStatus(objects.Workspace, { deep: nested(200) }),
  after: withStatus(objects.Workspace, { deep: nested(201) }),
};

const fieldWrites: readonly Write[] = [
  tooDeep,
  ...workspaceFields.flatMap((change) => [creates('Workspace', change), updates('Workspace', change)]),
  ...workspaceFields.map((change) => status('Workspace', change)),
  ...claimFields.flatMap((change) => [updates('SandboxClaim', change), status('SandboxClaim', change)]),
];

const revisionWrites: readonly Write[] = [
  creates('WorkspaceRevision', ['forges a head', (one) => one]),
  ...revisionChanges.map((change) => updates('WorkspaceRevision', change)),
  status('WorkspaceRevision', ['sets a status', (one) => withStatus(one, { ready: true })]),
];

/** Whoever writes these and is not the controller is denied. */
const guarded: readonly Write[] = [...revisionWrites, ...fieldWrites, ...steeringWrites];

const referenceWrites: readonly Write[] = [
  updates('WorkspaceRevision', [
    'takes the finalizer of the controller off',
    (one) => withMetadata(one, { finalizers: ['foregroundDeletion'] }),
  ]),
  updates('WorkspaceRevision', [
    'adds a finalizer',
    (one) => withMetadata(one, { finalizers: ['x', 'y', 'z'] }),
  ]),
  updates('WorkspaceRevision', [
    'is given to another workspace',
    (one) => withMetadata(one, { ownerReferences: [{ kind: 'Workspace', name: 'own', uid: 'uid-own' }] }),
  ]),
];

export interface WriteCase {
  readonly user: User;
  readonly write: Write;
}

const written = (users: readonly User[], writes: readonly Write[]): readonly WriteCase[] =>
  writes.flatMap((write) => users.map((user) => ({ user, write })));

/** Collectors take owner references off: that one they may. */
const collected = guarded.filter(({ says }) => says !== 'has another owner');

const forbidden: readonly WriteCase[] = [
  ...written(strangers, [...guarded, deletes('WorkspaceRevision', 'takes the head away')]),
  ...written(collectors, [...collected, ...referenceWrites]),
];

const harmless: readonly Change[] = [
  asItIs,
  ['asks for another size', (one) => withSpec(one, { size: '2Gi' })],
  ['has another label', (one) => withEntry(one, 'labels', 'app', 'y')],
  ['has another annotation', (one) => withEntry(one, 'annotations', 'note', 'x'.repeat(300_000))],
  [
    'has an annotation of another prefix',
    (one) => withEntry(one, 'annotations', 'myworkspace.mitos.run/x', 'y'),
  ],
  ['has an annotation named __proto__', (one) => withEntry(one, 'annotations', '__proto__', 'y')],
  ['has an empty status', (one) => ({ ...one, status: one.status ?? {} })],
  ['has no finalizers', (one) => withMetadata(one, { finalizers: [] })],
];

const authors: readonly Write[] = (['Workspace', 'SandboxClaim'] as const).flatMap((kind) => [
  ...harmless.flatMap((change) => [creates(kind, change), updates(kind, change)]),
  { ...creates(kind, asItIs), nameless: true as const, says: 'with generateName' },
  deletes(kind, 'its author deletes it'),
  { ...deletes(kind, 'its author deletes a collection'), nameless: true as const },
]);

/** Finalizers of the garbage collector itself. */
const collecting: readonly unknown[] = ['foregroundDeletion', 'orphan'];

const collections: readonly Write[] = (['Workspace', 'WorkspaceRevision', 'SandboxClaim'] as const).flatMap(
  (kind) => [
    deletes(kind, 'collects it'),
    { ...deletes(kind, 'collects it with its namespace'), nameless: true as const },
    updates(kind, [
      'takes its own finalizers off',
      (one) => withMetadata(one, { finalizers: listed(one).filter((name) => !collecting.includes(name)) }),
    ]),
    updates(kind, [
      'orphans it',
      (one) => withMetadata(one, { ownerReferences: [], resourceVersion: '8', generation: 2 }),
    ]),
  ],
);

function listed(object: StoredObject): readonly unknown[] {
  const { finalizers } = object.metadata;
  return Array.isArray(finalizers) ? finalizers : [];
}

const unblocked = updates('WorkspaceRevision', [
  'unblocks the deletion of its owner',
  (one) => {
    const references = one.metadata.ownerReferences as readonly Json[];
    return withMetadata(one, {
      ownerReferences: references.map((reference) => ({ ...reference, blockOwnerDeletion: false })),
    });
  },
]);

const permitted: readonly WriteCase[] = [
  ...written([{ username: 'alice' }, { username: 'kubernetes-admin', groups: ['system:masters'] }], authors),
  ...written(collectors, [...collections, unblocked]),
  ...written(
    [{ username: controller }],
    [...guarded, ...authors, ...collections, deletes('WorkspaceRevision', 'is pruned')],
  ),
];

/** Beside what is forbidden, something harmless is changed, so that it does not stand alone. */
export const forbiddenWrite: fc.Arbitrary<WriteCase> = fc
  .record({ one: fc.constantFrom(...forbidden), beside: fc.constantFrom(...harmless.slice(0, 3)) })
  .map(({ one, beside: [, change] }) => {
    const { user, write } = one;
    const { after, kind } = write;
    if (after === null || kind === 'WorkspaceRevision') return one;
    return { user, write: { ...write, after: change(after) } };
  });

export const forbiddenWrites = forbidden;
export const permittedWrite: fc.Arbitrary<WriteCase> = fc.constantFrom(...permitted);
export const permittedWrites = permitted;

/** A write that would pass, of an author or of the controller. */
export const passingWrite: fc.Arbitrary<WriteCase> = fc.constantFrom(
  ...permitted.filter(({ user }) => user.username === 'alice' || user.username === controller),
);
