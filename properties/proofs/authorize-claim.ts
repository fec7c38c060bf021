/**
 * authorize-claim admits a request exactly when the oracle does, asks about its author as he is, and stamps
 * what was found, in every combination of two small scopes.
 */

import { describeRequest, reviewOf } from '../models/admission-review.ts';
import { type AdmissionRun, describeRun, runAdmission } from '../models/admission-run.ts';
import { mutants as reading } from '../mutants/authorize-claim.ts';
import { mutants as writing } from '../mutants/claim-writes.ts';
import {
  type AdmissionScene,
  type RequiredOfAdmission,
  requiredOfAdmission,
  specDigest,
} from '../oracles/admission-verdict.ts';
import { loadSubject, SubjectFailure } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import { mutantsNamed, type Proof } from './proof.ts';
import { admissionScope, admissions, type ScopedAdmission } from './scope/admission-scope.ts';

export const proof: Proof = {
  name: 'authorize-claim',
  statement:
    'In every combination of the scope a request is admitted exactly when the oracle admits it; reviews carry the author as the request ' +
    'did; the stamp says what was found, and only where a spec asks for something.',
  bounds: admissionScope(),
  assumptions: [
    'The webhook asks what the decision wants asked, and what does not come within its deadline has timed out.',
    'Requests whose parts contradict each other, and specs of other types, are not in the scope (F5.answer, F5.name, F5.namespace).',
  ],
  mutants: mutantsNamed(
    [...reading, ...writing],
    [
      'review-without-extra',
      'review-without-groups',
      'review-without-uid',
      'allowed-beside-denied',
      'evaluation-error-ignored',
      'truthy-allowed',
      'time-out-allows',
      'unanswered-question-allows',
      'no-review-deadline',
      'only-first-question',
      'secrets-unasked-with-principal',
      'env-secrets-unread',
      'system-secret-by-right',
      'unchanged-principal-unreviewed',
      'former-principal-forgotten',
      'former-secrets-forgotten',
      'account-of-any-namespace',
      'dry-run-passes',
      'controller-by-identity-alone',
      'controller-by-shape-alone',
      'forged-stamp-kept',
      'removed-steering-unseen',
      'controller-may-not-steer',
      'every-update-reviewed',
      'stamp-of-the-old-spec',
      'stamp-of-unasked-secrets',
    ],
  ),
  async run({ scale, progress }) {
    const subject = await loadSubject('reference', ['authorize-claim']);
    const total = { requests: 0, allowed: 0, questions: 0 };
    const counts = () => ({
      'requests decided': total.requests,
      'of them allowed': total.allowed,
      'questions asked': total.questions,
    });
    for (const scoped of admissions(scale === 'full' ? Number.POSITIVE_INFINITY : 2)) {
      total.requests += 1;
      const trace = judge(subject, scoped, total);
      if (trace !== null) return { outcome: 'refuted', counts: counts(), trace };
      if (total.requests % 5000 === 0) progress(counts());
    }
    return { outcome: 'proved', counts: counts() };
  },
};

function judge(
  subject: Subject,
  { scene, faults }: ScopedAdmission,
  total: { allowed: number; questions: number },
): string[] | null {
  const required = requiredOfAdmission(scene);
  const head = [`case       ${faults.join('; ') || 'nothing changes'}`];
  head.push(
    ...describeRequest(scene.request)
      .split('\n')
      .map((line) => `request    ${line}`),
  );
  let ran: AdmissionRun;
  try {
    ran = runAdmission(subject, reviewOf(scene.request), scene.world, scene.disturbance);
  } catch (error) {
    if (!(error instanceof SubjectFailure)) throw error;
    return [...head, `reference  ${error.message}`, `oracle     ${required.outcome}  [${required.why}]`];
  }
  if (ran.outcome === 'allowed') total.allowed += 1;
  total.questions += ran.asked.length;
  const wrong = ran.outcome === required.outcome ? wrongRun(scene, ran, required) : required.why;
  if (wrong === null) return null;
  const run = describeRun(ran)
    .split('\n')
    .map((line) => `reference  ${line}`);
  return [...head, ...run, `oracle     ${required.outcome}  [${wrong}]`];
}

/** Whom it asked about, and what it stamped; null when both are right. */
function wrongRun(
  { request }: AdmissionScene,
  { asked, last }: AdmissionRun,
  { stamp }: RequiredOfAdmission,
): string | null {
  const { username, uid, groups, extra } = request.author;
  const author = JSON.stringify([username, uid, groups, extra]);
  for (const question of asked) {
    if (question.kind !== 'SubjectAccessReview') continue;
    const { spec } = question;
    const about = JSON.stringify([spec.user, spec.uid, spec.groups, spec.extra]);
    if (about !== author) return `a review of ${author}`;
  }
  const found = last.stamp;
  if (stamp === null || found === null) return found === stamp ? null : `stamped: ${stamp !== null}`;
  const right =
    (found.principal?.uid ?? null) === stamp.principalUid &&
    JSON.stringify(found.secrets) === JSON.stringify(stamp.secrets) &&
    found.author.username === username &&
    found.specHash === specDigest(request.object?.spec ?? {});
  return right ? null : `a stamp of ${stamp.principalUid ?? 'no principal'} and ${stamp.secrets.join(', ')}`;
}
