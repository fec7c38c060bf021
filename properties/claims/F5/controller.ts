/** F5.controller: admission never stands in the way of finalizers, status and garbage collection. */
import * as fc from 'fast-check';
import { alice, entitled } from '../../arbitraries/admission-requests.ts';
import { anyDisturbance, narrowWrites, requestOf } from '../../arbitraries/claim-writes.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({ write: fc.constantFrom(...narrowWrites), disturbance: anyDisturbance, dryRun: fc.boolean() })
  .map(({ write, disturbance, dryRun }) => ({
    request: requestOf(write, 'UPDATE', dryRun),
    // The chart's own RBAC: the controller may impersonate nobody.
    world: entitled(alice),
    disturbance,
  }));

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.controller',
      statement:
        'The controller’s finalizer, metadata and status writes and the garbage collector’s always pass, also while no review is answered.',
      source:
        'findings.md F5 Residual: "the controller’s finalizer write is refused, so no claim with a principal is ever served"',
      expected: { decision: { vulnerable: 'holds', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran) =>
      ran.outcome === 'allowed'
        ? null
        : violationOf(
            ran,
            'allow',
            'findings.md F5: the controller’s narrow writes pass by identity and shape',
          ),
  ),
);
