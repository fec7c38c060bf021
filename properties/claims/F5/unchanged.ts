/** F5.unchanged: what touches nothing that is protected needs nobody's permission but RBAC's. */
import * as fc from 'fast-check';
import { alice, collector, controller, entitled, tenant } from '../../arbitraries/admission-requests.ts';
import { anyDisturbance, harmlessChanges, lookAlikes, standing } from '../../arbitraries/claim-writes.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({
    author: fc.oneof(tenant, fc.constantFrom(controller, collector, ...lookAlikes)),
    changes: fc.array(fc.constantFrom(...harmlessChanges), { minLength: 1, maxLength: 3 }),
    stamped: fc.boolean(),
    disturbance: anyDisturbance,
    dryRun: fc.boolean(),
  })
  .map(({ author, changes, stamped, disturbance, dryRun }) => {
    const before = stamped ? standing : { ...standing, annotations: {} };
    const object = changes.reduce((claim, [, change]) => change(claim), before);
    return {
      request: { operation: 'UPDATE', author, object, before, dryRun },
      world: { ...entitled(alice), grants: [] },
      disturbance,
    };
  });

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.unchanged',
      statement:
        'An update that leaves spec, stamp and steering annotations alone passes, whoever sends it, without a review, and stamps nothing.',
      source:
        'findings.md F5 Residual: "every UPDATE of a claim with a principal is checked against whoever updates"; "a dead webhook blocks … finalizer removal"',
      blindSpot: 'that the API server does not even call a dead webhook for these: F5.dead, tier apiserver',
      expected: { decision: { vulnerable: 'holds', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran) => {
      const rule = 'findings.md F5: unchanged claims are left alone';
      if (ran.outcome !== 'allowed' || ran.asked.length > 0) return violationOf(ran, 'allow', rule);
      // A stamp in the name of whoever labels a claim would lend his rights to its author.
      return ran.last.stamp === null ? null : violationOf(ran, 'allow, and stamp nothing', rule);
    },
  ),
);
