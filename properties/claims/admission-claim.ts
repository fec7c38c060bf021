/** What the claims on admission have in common: one AdmissionReview, run against a world of rights. */
import type * as fc from 'fast-check';
import { type AdmissionCase, alice, entitled, specOf } from '../arbitraries/admission-requests.ts';
import { describeRequest, reviewOf } from '../models/admission-review.ts';
import { type AdmissionRun, describeRun, runAdmission } from '../models/admission-run.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Claim } from './claim.ts';

/** The path is open: an author who may act as the principal and read the Secret gets the claim. */
export function entitledAuthorIsAdmitted(subject: Subject): string | null {
  const object = { spec: specOf('builder', ['db']) };
  const request = { operation: 'CREATE', author: alice, object, before: null };
  const { outcome, last } = runAdmission(subject, reviewOf(request), entitled(alice));
  return outcome === 'allowed' ? null : `an entitled author is not admitted: ${last.rule}`;
}

export function run(subject: Subject, { request, world, disturbance }: AdmissionCase): AdmissionRun {
  return runAdmission(subject, reviewOf(request), world, disturbance);
}

type Declared = Pick<Claim, 'id' | 'statement' | 'source' | 'expected' | 'blindSpot' | 'weight'>;

/** A claim on what a subject makes of one request; `judge` says what is wrong with the run, or null. */
export function admissionClaim(
  declared: Declared,
  cases: fc.Arbitrary<AdmissionCase>,
  judge: (ran: AdmissionRun, input: AdmissionCase) => Violation | null,
  /** Judged first: what a reader should see. */
  examples: readonly AdmissionCase[] = [],
): Claim<AdmissionCase> {
  return {
    ...declared,
    decisions: ['authorize-claim'],
    arbitrary: () => cases,
    examples: () => examples,
    control: entitledAuthorIsAdmitted,
    judge: (subject, input) => judge(run(subject, input), input),
    notation: describeCase,
    observe: (subject, input) => describeRun(run(subject, input)),
  };
}

export function violationOf(
  { outcome, asked, last }: AdmissionRun,
  required: string,
  requiredRule: string,
): Violation {
  const reviewed = asked.length === 0 ? ', nobody was asked' : '';
  return { observed: `${outcome}${reviewed}`, observedRule: last.rule, required, requiredRule };
}

function describeCase({ request, world, disturbance }: AdmissionCase): string {
  const grants = world.grants.map(
    ({ to, verb, resource, names, namespace }) =>
      `  ${to} may ${verb} ${resource} ${names === '*' ? '*' : names.join(', ') || 'none'} in ${namespace}`,
  );
  const lines = [
    describeRequest(request),
    grants.length === 0 ? 'nobody was granted anything' : 'granted:',
    ...grants,
  ];
  if (disturbance !== null) {
    const { of, how, body } = disturbance;
    lines.push(`the answer on ${of}: ${how}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`);
  }
  return lines.join('\n');
}
