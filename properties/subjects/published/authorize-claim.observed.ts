/** What was observed of the published webhook. */
import { alice, controller, specOf } from '../../arbitraries/admission-requests.ts';
import { type ClaimRequest, reviewOf } from '../../models/admission-review.ts';
import { admissionConfig } from '../../models/admission-run.ts';
import type { authorizeClaim } from '../../protocol/authorize-claim.ts';
import type { InputOf, OutputOf } from '../../protocol/decision.ts';
import type { Observed } from '../observed.ts';

type Output = OutputOf<typeof authorizeClaim>;
type Answers = InputOf<typeof authorizeClaim>['answers'];

function sees(
  says: string,
  request: Partial<ClaimRequest>,
  output: Partial<Output>,
  answers: Answers = null,
): Observed<typeof authorizeClaim> {
  const created = { operation: 'CREATE', author: alice, object: { spec: specOf('builder') }, before: null };
  const review = reviewOf({ ...created, ...request });
  return { says, config: admissionConfig, input: { review, answers }, output };
}

function asks(says: string, name: string, request: Partial<ClaimRequest>, namespace = 'team-a') {
  const author = request.author ?? alice;
  const spec = {
    user: author.username,
    uid: author.uid,
    groups: [...author.groups],
    extra: Object.fromEntries(Object.entries(author.extra).map(([key, values]) => [key, [...values]])),
    resourceAttributes: { namespace, verb: 'impersonate', group: '', resource: 'serviceaccounts', name },
  };
  return sees(says, request, {
    verdict: 'review',
    questions: [{ id: 'impersonate', kind: 'SubjectAccessReview', spec }],
    deadlineMs: null,
  });
}

const answered = (body: unknown): Answers => [{ id: 'impersonate', result: 'answered', body }];
const naming = (name: string) => ({ object: { spec: specOf(name) } });
const answeredWithAllow = 'v1beta1, another kind or a missing uid are answered with allow';
const rawString = 'the review takes the raw string';
const foreign = (says: string, envelope: Omit<NonNullable<ClaimRequest['envelope']>, 'says'>) =>
  sees(answeredWithAllow, { envelope: { says, ...envelope } }, { verdict: 'allow' });

export const observed: readonly Observed<typeof authorizeClaim>[] = [
  asks(
    "a SubjectAccessReview with the creator's identity (`impersonate` on `serviceaccounts`)",
    'builder',
    {},
  ),
  asks('user, uid, groups and extra are forwarded exactly', 'builder', {
    author: { ...alice, extra: { scopes: ['user:info'] } },
  }),
  sees('no-op on an empty principal', { object: { spec: specOf(undefined) } }, { verdict: 'allow' }),
  sees(
    'a claim author without any right on Secrets names `mitos-forkd-tls` in `spec.secrets`',
    { object: { spec: specOf(undefined, ['mitos-forkd-tls']) } },
    { verdict: 'allow' },
  ),
  asks(rawString, 'system:serviceaccount:other:admin', naming('system:serviceaccount:other:admin')),
  asks(rawString, '../*', naming('../*')),
  asks(rawString, 'default\n', naming('default\n')),
  asks(
    "and the object's namespace",
    'builder',
    { object: { spec: specOf('builder'), namespace: 'team-b' } },
    'team-b',
  ),
  sees('fails closed on error', {}, { verdict: 'deny' }, [{ id: 'impersonate', result: 'failed' }]),
  sees('fails closed on error', {}, { verdict: 'deny' }, [{ id: 'impersonate', result: 'timed-out' }]),
  sees('a SubjectAccessReview … fails closed', {}, { verdict: 'deny' }, answered({ allowed: false })),
  sees(
    '`allowed` beside `denied` … is an allow',
    {},
    { verdict: 'allow' },
    answered({ allowed: true, denied: true }),
  ),
  sees(
    '… or an `evaluationError` is an allow',
    {},
    { verdict: 'allow' },
    answered({ allowed: true, evaluationError: 'x' }),
  ),
  foreign('v1beta1', { review: { apiVersion: 'admission.k8s.io/v1beta1' } }),
  foreign('another kind', {
    request: { kind: { group: 'mitos.run', version: 'v1alpha1', kind: 'SandboxFork' } },
  }),
  foreign('no uid', { request: { uid: '' } }),
  asks('every UPDATE of a claim with a principal is checked against whoever updates', 'builder', {
    operation: 'UPDATE',
    author: controller,
    before: { spec: specOf('builder') },
    object: { spec: specOf('builder'), finalizers: ['mitos.run/husk'] },
  }),
];
