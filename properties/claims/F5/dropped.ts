/** F5.dropped: what a claim holds already is not sent elsewhere by taking its name out of the spec. */
import * as fc from 'fast-check';
import { changedSpec, principals, someRights, specOf, tenant } from '../../arbitraries/admission-requests.ts';
import type { Spec } from '../../models/admission-review.ts';
import { secretsOf, whyNotEntitled } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({
    author: tenant,
    held: fc.record({ principal: fc.constantFrom(...principals), secrets: fc.subarray(['db', 'api-key']) }),
    becomes: fc.constantFrom<string | undefined>(undefined, '', ...principals),
    specs: changedSpec(specOf(undefined)),
  })
  .chain(({ author, held, becomes, specs }) =>
    someRights(author).map((world) => ({
      request: {
        operation: 'UPDATE',
        author,
        object: { spec: { ...specs.after, ...(becomes === undefined ? {} : { serviceAccount: becomes }) } },
        before: { spec: { ...specs.before, ...specOf(held.principal, held.secrets) } },
      },
      world,
      disturbance: null,
    })),
  );

/** What the former spec names and the new one does not. */
function droppedOf(before: Spec, after: Spec): Spec {
  const kept = secretsOf(after);
  return specOf(
    before.serviceAccount === after.serviceAccount ? undefined : before.serviceAccount,
    secretsOf(before).filter((name) => !kept.includes(name)),
  );
}

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.dropped',
      statement:
        'A principal or a Secret is taken out of a claim, or replaced, only by an author who may act as it or read it: its memory and values are in the guest already.',
      source:
        'findings.md F5 Published: "no-op on an empty principal"; Residual: "memory captured without a principal resumes for any claim without one"; Reference: "re-authorize when the principal … changes"',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, before, object }, world }) => {
      const why = whyNotEntitled(world, author, droppedOf(before?.spec ?? {}, object?.spec ?? {}));
      if (ran.outcome !== 'allowed' || why === null) return null;
      return violationOf(ran, `deny: ${why}`, 'findings.md F5: re-authorize when the principal changes');
    },
  ),
);
