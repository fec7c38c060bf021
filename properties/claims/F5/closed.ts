/** F5.closed: a review that fails denies, and says so. */
import * as fc from 'fast-check';
import { entitled, failing, specOf, tenant } from '../../arbitraries/admission-requests.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const rule = 'findings.md F5: fails closed on error';

const cases = fc
  .record({
    author: tenant,
    disturbance: failing,
    operation: fc.constantFrom('CREATE', 'UPDATE'),
    dryRun: fc.boolean(),
  })
  .map(({ author, disturbance, operation, dryRun }) => ({
    request: {
      operation,
      author,
      object: { spec: specOf('builder', disturbance.of === 'get' ? ['db'] : []) },
      before: operation === 'CREATE' ? null : { spec: specOf('builder', [], { timeout: 60 }) },
      dryRun,
    },
    world: entitled(author),
    disturbance,
  }));

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.closed',
      statement:
        'When a review fails or is reported to have timed out, the claim is denied, and the response says so.',
      source: 'findings.md F5 Published: "fails closed on error"',
      blindSpot: 'a webhook that is down, an expired or wrong CA: tier apiserver',
      expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
    },
    cases,
    (ran, { disturbance }) => {
      // Who does not ask for a Secret or the account has no answer that could fail: F3.deputy, F5.name.
      const concerned = disturbance?.of === 'impersonate' || ran.asked.length > 1;
      if (!concerned) return null;
      if (ran.outcome !== 'denied') return violationOf(ran, 'deny', rule);
      const { response } = ran.last;
      const saysSo =
        response !== null && !response.allowed && response.code >= 400 && response.message !== '';
      return saysSo ? null : violationOf(ran, 'a response that says why', rule);
    },
  ),
);
