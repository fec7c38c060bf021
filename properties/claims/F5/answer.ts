/** F5.answer: nothing but a plain yes, in time, to a request that is one. */
import * as fc from 'fast-check';
import {
  alice,
  ambiguous,
  entitled,
  foreignEnvelope,
  specOf,
  tenant,
} from '../../arbitraries/admission-requests.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const hanging = fc.constantFrom('impersonate' as const, 'account' as const, 'get' as const).map((of) => ({
  of,
  how: 'hangs' as const,
}));

const cases = fc
  .record({
    author: tenant,
    wrong: fc.oneof(
      ambiguous.map((disturbance) => ({ disturbance, envelope: null })),
      hanging.map((disturbance) => ({ disturbance, envelope: null })),
      foreignEnvelope.map((envelope) => ({ disturbance: null, envelope })),
    ),
    operation: fc.constantFrom('CREATE', 'UPDATE'),
  })
  .map(({ author, wrong: { disturbance, envelope }, operation }) => ({
    request: {
      operation,
      author,
      object: { spec: specOf('builder', ['db']) },
      before: operation === 'CREATE' ? null : { spec: specOf('builder', ['db'], { timeout: 60 }) },
      ...(envelope === null ? {} : { envelope }),
    },
    world: entitled(author),
    disturbance,
  }));

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.answer',
      statement:
        'Only an unambiguous `allowed` allows: not beside `denied` or an evaluation error; a review that hangs is cut off; unknown versions, kinds, a missing uid are denied.',
      source: 'findings.md F5, observed on the original; Reference: "allow only on allowed with neither"',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { disturbance }) => {
      if (ran.outcome === 'denied') return null;
      // Whoever never asks about Secrets or accounts cannot hang on them: F3.deputy, F5.name.
      if (disturbance !== null && disturbance.of !== 'impersonate' && ran.asked.length <= 1) return null;
      const rule = 'findings.md F5: unambiguous, within a deadline of its own, of a known version and kind';
      return violationOf(ran, 'deny', rule);
    },
    [
      {
        request: { operation: 'CREATE', author: alice, object: { spec: specOf('builder') }, before: null },
        world: entitled(alice),
        disturbance: { of: 'impersonate', how: 'answered', body: { allowed: true, denied: true } },
      },
    ],
  ),
);
