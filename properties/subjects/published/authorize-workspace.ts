/**
 * findings.md F5, Residual: "`create workspacerevisions` alone makes a forged revision the head"; "the author
 * may set the annotations that steer hydrate and dehydrate". Published: the webhook is one on claims ("no-op
 * on an empty principal"), so nothing admits writes of workspaces and revisions: RBAC alone decides.
 */
import type { authorizeWorkspace } from '../../protocol/authorize-workspace.ts';
import type { Bind } from '../../protocol/decision.ts';

export const bind: Bind<typeof authorizeWorkspace> = () => () => ({
  verdict: 'allow',
  rule: 'no webhook is asked',
});
