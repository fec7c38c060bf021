/** F5.unhindered: authors keep their workspaces, the controller its work, and garbage is collected. */
import { permittedWrite, permittedWrites, type WriteCase } from '../../arbitraries/workspace-writes.ts';
import { reviewOf } from '../../models/workspace-writes.ts';
import { defineClaim } from '../claim.ts';
import { authorize, authorMakesWorkspace, notationOfWrite, observeWrite } from '../workspace-claim.ts';

export const claim = defineClaim<WriteCase>({
  id: 'F5.unhindered',
  statement:
    'Authors make, change and delete their Workspaces and claims where nothing of the controller’s changes, the controller’s writes pass, and the garbage collector and the namespace controller delete, orphan and take finalizers off, collections included.',
  source: 'findings.md F5 Residual: a check that refuses the controller’s own writes serves nobody',
  decisions: ['authorize-workspace'],
  expected: { decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' } },
  weight: 0.5,
  arbitrary: () => permittedWrite,
  examples: () => permittedWrites,
  control: authorMakesWorkspace,
  judge(subject, { write, user }) {
    const { verdict, rule } = authorize(subject, reviewOf(write, user));
    if (verdict === 'allow') return null;
    return {
      observed: 'denied',
      observedRule: rule,
      required: 'allow',
      requiredRule: 'findings.md F5: nothing that only the controller writes is changed',
    };
  },
  notation: notationOfWrite,
  observe: (subject, { write, user }) => observeWrite(subject, reviewOf(write, user)),
});
