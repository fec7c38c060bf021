/** What was observed of writes of workspaces and revisions: nothing admits them. */
import {
  fresh,
  type Kind,
  objects,
  policy,
  reviewOf,
  type StoredObject,
  type Write,
  withEntry,
  withStatus,
} from '../../models/workspace-writes.ts';
import type { authorizeWorkspace } from '../../protocol/authorize-workspace.ts';
import type { Observed } from '../observed.ts';

function allows(says: string, write: Omit<Write, 'says'>): Observed<typeof authorizeWorkspace> {
  const review = reviewOf({ ...write, says }, { username: 'alice' });
  return { says, config: policy, input: { review }, output: { verdict: 'allow' } };
}

function updates(kind: Kind, change: (object: StoredObject) => StoredObject): Omit<Write, 'says'> {
  return { kind, operation: 'UPDATE', before: objects[kind], after: change(objects[kind]) };
}

const revision = fresh.WorkspaceRevision;

export const observed: readonly Observed<typeof authorizeWorkspace>[] = [
  allows('create workspacerevisions alone makes a forged revision the head', {
    kind: 'WorkspaceRevision',
    operation: 'CREATE',
    before: null,
    after: revision,
  }),
  allows(
    'the author may set the annotations that steer hydrate and dehydrate',
    updates('SandboxClaim', (one) => withEntry(one, 'annotations', 'workspace.mitos.run/hydrate', 'ws-r0')),
  ),
  allows('sandboxclaims/status may be written by whoever has that right', {
    ...updates('SandboxClaim', (one) => withStatus(one, { phase: 'Ready', endpoint: '10.0.9.9:9091' })),
    subresource: 'status',
  }),
];
