/** F5.only-those: neither the controller's name nor the shape of its writes carries anything else. */
import * as fc from 'fast-check';
import { accounts, entitled, mallory, specOf } from '../../arbitraries/admission-requests.ts';
import { forgery, repointing, requestOf } from '../../arbitraries/claim-writes.ts';
import { stampKey } from '../../models/admission-review.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const nobody = { grants: [], accounts };

const cases = fc
  .record({
    write: fc.oneof(
      repointing.map((write) => ({ write, world: nobody })),
      // Every right on principals and Secrets is no right on what the system writes.
      forgery.map((write) => ({ write, world: entitled(write.author) })),
    ),
    created: fc.boolean(),
    dryRun: fc.boolean(),
  })
  .map(({ write: { write, world }, created, dryRun }) => {
    // What a create cannot bring (a status, a change) is an update.
    const brings = created && write.says === 'a stamp is brought';
    return { request: requestOf(write, brings ? 'CREATE' : 'UPDATE', dryRun), world, disturbance: null };
  });

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.only-those',
      statement:
        'Nothing else passes by being the controller’s identity or shape: no spec, no stamp of anybody’s, no status or steering annotation of a tenant’s.',
      source:
        'findings.md F5: "by identity and shape, and only those"; Residual: "the author may set the annotations that steer hydrate and dehydrate"',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran) =>
      ran.outcome === 'denied'
        ? null
        : violationOf(
            ran,
            'deny',
            'findings.md F5: identity and shape, and only those; kubernetes.md: /status is not matched',
          ),
    [
      {
        request: {
          operation: 'CREATE',
          author: mallory,
          object: { spec: specOf('builder'), annotations: { [stampKey]: 'MAC.of-another-claim' } },
          before: null,
        },
        world: entitled(mallory),
        disturbance: null,
      },
    ],
  ),
);
