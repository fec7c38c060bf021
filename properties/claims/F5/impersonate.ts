/** F5.impersonate: who names a principal may act as it. */
import * as fc from 'fast-check';
import { principals, scopedTenant, someRights, specOf } from '../../arbitraries/admission-requests.ts';
import { mayActAs } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({
    author: scopedTenant,
    principal: fc.constantFrom(...principals),
    before: fc.constantFrom('created', 'none', ...principals),
    dryRun: fc.boolean(),
  })
  .chain(({ author, principal, before, dryRun }) =>
    someRights(author).map((world) => ({
      request: {
        operation: before === 'created' ? 'CREATE' : 'UPDATE',
        author,
        object: { spec: specOf(principal, [], { timeout: 60 }) },
        before: before === 'created' ? null : { spec: specOf(before === 'none' ? undefined : before) },
        dryRun,
      },
      world,
      disturbance: null,
    })),
  );

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.impersonate',
      statement: 'A claim naming a principal is admitted only if its author may impersonate it.',
      source: 'findings.md F5 Vulnerable: "nothing checks that the author may act as it"',
      blindSpot: 'the stock edit role may impersonate every service account of its namespace: F5.resume',
      expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, object }, world }) => {
      const principal = String(object?.spec.serviceAccount);
      if (ran.outcome !== 'allowed' || mayActAs(world, author, principal)) return null;
      return violationOf(
        ran,
        `deny: ${author.username} may not impersonate ${principal}`,
        'findings.md F5: a SubjectAccessReview of impersonate on serviceaccounts',
      );
    },
  ),
);
