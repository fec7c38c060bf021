/** The reference's authorize-workspace behind the subject protocol. */
import { authorizeWorkspace as authorize } from '#reference/decisions/authorize-workspace/authorize-workspace.ts';
import type { authorizeWorkspace } from '../../protocol/authorize-workspace.ts';
import type { Bind } from '../../protocol/decision.ts';

export const bind: Bind<typeof authorizeWorkspace> =
  (policy) =>
  ({ review }) =>
    authorize(policy, review);
