/** F5.stamp: what a resume rests on is written by the controller. */
import { forbiddenWrite, forbiddenWrites, type WriteCase } from '../../arbitraries/workspace-writes.ts';
import { reviewOf } from '../../models/workspace-writes.ts';
import { defineClaim } from '../claim.ts';
import { authorize, authorMakesWorkspace, notationOfWrite, observeWrite } from '../workspace-claim.ts';

export const claim = defineClaim<WriteCase>({
  id: 'F5.stamp',
  statement:
    'Only the controller writes principals, memory references, heads, revisions, status and the annotations and labels that steer a workspace: no author, no admin, no account with a similar name or the controller’s name for a group; the garbage collector takes away and writes nothing.',
  source:
    'findings.md F5 Residual: "create workspacerevisions alone makes a forged revision the head"; "the author may set the annotations that steer hydrate and dehydrate"',
  blindSpot:
    'whoever may impersonate the controller or edit the webhook configuration is the controller here',
  decisions: ['authorize-workspace'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  arbitrary: () => forbiddenWrite,
  examples: () => forbiddenWrites,
  control: authorMakesWorkspace,
  judge(subject, { write, user }) {
    const { verdict, rule } = authorize(subject, reviewOf(write, user));
    if (verdict === 'deny') return null;
    return {
      observed: 'allowed',
      observedRule: rule,
      required: 'deny',
      requiredRule: 'findings.md F5: only the controller writes principals, revisions and status',
    };
  },
  notation: notationOfWrite,
  observe: (subject, { write, user }) => observeWrite(subject, reviewOf(write, user)),
});
