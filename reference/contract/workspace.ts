/**
 * Where workspaces and revisions say what a resume rests on: field names that the controller, the resume gate
 * and the policy on workspaces agree on.
 */

/** In the spec of a WorkspaceRevision: digest of the memory snapshot. */
export const memoryField = 'memorySnapshot';

/** In the spec of a WorkspaceRevision: name of the service account that the memory is bound to. */
export const memoryPrincipalField = 'memorySnapshotPrincipal';

/** In the status of a Workspace: `{name, uid}` of its head. */
export const headField = 'head';
