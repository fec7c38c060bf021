/** F5.workspace-review: what is not a known request on a known kind is denied, whoever sends it. */
import * as fc from 'fast-check';
import { type Breakage, breakages } from '../../arbitraries/broken-reviews.ts';
import { passingWrite, type WriteCase } from '../../arbitraries/workspace-writes.ts';
import { reviewOf } from '../../models/workspace-writes.ts';
import { defineClaim } from '../claim.ts';
import { authorize, authorMakesWorkspace, notationOfWrite, observeWrite } from '../workspace-claim.ts';

interface BrokenCase {
  readonly from: WriteCase;
  readonly breakage: Breakage;
}

const brokenReview = ({ from: { write, user }, breakage }: BrokenCase) =>
  breakage.broken(reviewOf(write, user));

export const claim = defineClaim<BrokenCase>({
  id: 'F5.workspace-review',
  statement:
    'A review of an unknown version, kind, resource, subresource or operation, without uid, user or namespace, or about an object of another kind, name or namespace than the request is denied, also when the controller sends it.',
  source:
    'findings.md F5 Residual: "v1beta1, another kind or a missing uid are answered with allow"; Reference: "decide on the request’s namespace"',
  decisions: ['authorize-workspace'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.5,
  arbitrary: () => fc.record({ from: passingWrite, breakage: fc.constantFrom(...breakages) }),
  control: authorMakesWorkspace,
  judge(subject, input) {
    const review = brokenReview(input);
    if (review === null) return null;
    const { verdict, rule } = authorize(subject, review);
    if (verdict === 'deny') return null;
    return {
      observed: 'allowed',
      observedRule: rule,
      required: `deny: ${input.breakage.says}`,
      requiredRule: 'findings.md F5: a request of an unknown version, kind or without uid is denied',
    };
  },
  notation: (input) => `${notationOfWrite(input.from)}; ${input.breakage.says}`,
  observe: (subject, input) => observeWrite(subject, brokenReview(input)),
});
