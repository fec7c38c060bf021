/** F5.ride: an unchanged principal protects everything else of the claim. */
import * as fc from 'fast-check';
import {
  accounts,
  changedSpec,
  mallory,
  principals,
  scopedTenant,
  someRights,
  specOf,
} from '../../arbitraries/admission-requests.ts';
import { mayActAs } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({
    author: scopedTenant,
    specs: fc
      .record({ principal: fc.constantFrom(...principals), secrets: fc.subarray(['db']) })
      .chain(({ principal, secrets }) => changedSpec(specOf(principal, secrets))),
    stamped: fc.boolean(),
    dryRun: fc.boolean(),
  })
  .chain(({ author, specs, stamped, dryRun }) =>
    someRights(author).map((world) => {
      const annotations = stamped
        ? { annotations: { 'mitos.run/admission-stamp': 'MAC.of-the-former-spec' } }
        : {};
      return {
        request: {
          operation: 'UPDATE',
          author,
          object: { spec: specs.after, ...annotations },
          before: { spec: specs.before, ...annotations },
          dryRun,
        },
        world,
        disturbance: null,
      };
    }),
  );

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.ride',
      statement:
        'While a claim names a principal, a change of anything in its spec is authorized anew, for whoever makes it.',
      source:
        'findings.md F5 Residual: "lets an editor repoint other fields of such a claim … and ride on it"',
      blindSpot: 'a principal that is taken away: F5.dropped',
      expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, object }, world }) => {
      const principal = String(object?.spec.serviceAccount);
      if (ran.outcome !== 'allowed' || mayActAs(world, author, principal)) return null;
      return violationOf(
        ran,
        `deny: ${author.username} may not impersonate ${principal}`,
        'findings.md F5: re-authorize when the principal or anything it protects changes',
      );
    },
    [
      {
        request: {
          operation: 'UPDATE',
          author: mallory,
          object: { spec: specOf('builder', [], { workspaceRef: 'of-somebody-else' }) },
          before: { spec: specOf('builder', [], { workspaceRef: 'own' }) },
        },
        world: { grants: [], accounts },
        disturbance: null,
      },
    ],
  ),
);
