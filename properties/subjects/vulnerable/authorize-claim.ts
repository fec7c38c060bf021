/** findings.md F5, Vulnerable: "nothing checks that the author may act as it". There is no webhook. */
import type { authorizeClaim } from '../../protocol/authorize-claim.ts';
import type { Bind } from '../../protocol/decision.ts';

export const bind: Bind<typeof authorizeClaim> = () => () => ({
  verdict: 'allow',
  questions: [],
  deadlineMs: null,
  stamp: null,
  response: { allowed: true, code: 200, message: '' },
  rule: 'nothing is checked',
});
