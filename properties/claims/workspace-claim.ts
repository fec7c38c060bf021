/** What the F5 claims on writes of workspaces have in common. */
import type { WriteCase } from '../arbitraries/workspace-writes.ts';
import { describeWrite, fresh, policy, reviewOf } from '../models/workspace-writes.ts';
import type { Subject } from '../subjects/subject.ts';

export function authorize(subject: Subject, review: unknown) {
  return subject.decide('authorize-workspace', policy)({ review });
}

/** The path is open: an author makes a workspace. */
export function authorMakesWorkspace(subject: Subject): string | null {
  const { Workspace: after } = fresh;
  const write = { says: 'makes it', kind: 'Workspace', operation: 'CREATE', before: null, after } as const;
  const { verdict, rule } = authorize(subject, reviewOf(write, { username: 'alice' }));
  return verdict === 'allow' ? null : `an author cannot make a workspace: ${rule}`;
}

export function notationOfWrite({ write, user }: WriteCase): string {
  return describeWrite(write, user);
}

export function observeWrite(subject: Subject, review: unknown): string {
  const { verdict, rule } = authorize(subject, review);
  return `${verdict}  [${rule}]`;
}
