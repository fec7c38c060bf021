/**
 * authorize-claim: a whole AdmissionReview of a SandboxClaim → allow, deny, or what the API server must be
 * asked first; then, with the answers, allow or deny.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

const texts = Type.Array(Type.String());
const extra = Type.Record(Type.String(), texts);

export const accessReview = Type.Object({
  id: Type.String({ description: '`<verb>:<name>`, as impersonate:builder or get:db' }),
  kind: Type.Literal('SubjectAccessReview'),
  spec: Type.Object(
    {
      user: Type.String(),
      uid: Type.String(),
      groups: texts,
      extra,
      resourceAttributes: Type.Object({
        namespace: Type.String(),
        verb: Type.String(),
        group: Type.String(),
        resource: Type.String(),
        name: Type.String(),
      }),
    },
    { description: 'as in a SubjectAccessReview of authorization.k8s.io/v1' },
  ),
});

export const accountLookup = Type.Object({
  id: Type.String({ description: '`account:<name>`' }),
  kind: Type.Literal('ServiceAccount'),
  namespace: Type.String(),
  name: Type.String(),
});

export const question = Type.Union([accessReview, accountLookup]);

export const answer = Type.Object(
  {
    id: Type.String({ description: 'of the question' }),
    result: Type.Union([
      Type.Literal('answered'),
      Type.Literal('not-found'),
      Type.Literal('failed'),
      Type.Literal('timed-out'),
    ]),
    body: Type.Optional(
      Type.Unknown({
        description: 'the status of the SubjectAccessReview, or the ServiceAccount, as it came',
      }),
    ),
  },
  { additionalProperties: false },
);

export const author = Type.Object({ username: Type.String(), uid: Type.String(), groups: texts, extra });

export const principal = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  uid: Type.String(),
});

export const admissionStamp = Type.Object(
  {
    author,
    namespace: Type.String(),
    name: Type.String(),
    principal: Type.Union([principal, Type.Null()]),
    secrets: Type.Array(Type.String(), { description: 'that the author may get, sorted' }),
    specHash: Type.String({
      description:
        'lower-case hex SHA-256 of the canonical JSON (sorted keys, no white space) of the spec as it was admitted',
    }),
  },
  {
    description:
      'what admission found; signed by the webhook, kept in the annotation mitos.run/admission-stamp',
  },
);

export const authorizeClaim = defineDecision({
  name: 'authorize-claim',
  summary:
    'A whole AdmissionReview of a SandboxClaim, then the answers to what the API server was asked: may its author have this claim?',
  config: Type.Object(
    {
      controller: Type.String({ description: "user name of the controller's service account" }),
      systemSecrets: Type.Array(Type.String(), {
        description: 'given to nobody; a leading or trailing * stands for anything',
      }),
      maxSecrets: Type.Integer({ minimum: 0, maximum: 256 }),
      reviewDeadlineMs: Type.Integer({ minimum: 1, maximum: 30_000 }),
    },
    { additionalProperties: false },
  ),
  input: Type.Object(
    {
      review: Type.Unknown({ description: 'the AdmissionReview as it came' }),
      answers: Type.Union([Type.Null(), Type.Array(answer)], { description: 'null: nobody was asked yet' }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('allow'), Type.Literal('deny'), Type.Literal('review')]),
    questions: Type.Array(question, {
      description:
        'only with review: ask all of them at once, then decide again with the answers. The principals first, then the account, then Secrets by name',
    }),
    deadlineMs: Type.Union([Type.Number(), Type.Null()], {
      description: 'only with review: what has no answer then has timed out; null: waits for ever',
    }),
    stamp: Type.Union([admissionStamp, Type.Null()], {
      description: 'only with allow; null: nothing is stamped',
    }),
    response: Type.Union([
      Type.Object({ allowed: Type.Boolean(), code: Type.Integer(), message: Type.String() }),
      Type.Null(),
    ]),
    rule: Type.String(),
  }),
  equality: ['verdict', 'questions', 'stamp'],
  example: {
    config: {
      controller: 'system:serviceaccount:mitos-system:mitos-controller',
      systemSecrets: ['mitos-ca', 'mitos-forkd-tls', '*-sandbox-token', 'sandbox-token-*'],
      maxSecrets: 16,
      reviewDeadlineMs: 3000,
    },
    input: {
      review: {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
          kind: { group: 'mitos.run', version: 'v1alpha1', kind: 'SandboxClaim' },
          resource: { group: 'mitos.run', version: 'v1alpha1', resource: 'sandboxclaims' },
          name: 'claim',
          namespace: 'team-a',
          operation: 'CREATE',
          userInfo: { username: 'alice', groups: ['system:authenticated'] },
          object: {
            apiVersion: 'mitos.run/v1alpha1',
            kind: 'SandboxClaim',
            metadata: { name: 'claim', namespace: 'team-a' },
            spec: { poolRef: 'pool', serviceAccount: 'builder', secrets: [{ name: 'db', secretRef: 'db' }] },
          },
          oldObject: null,
        },
      },
      answers: null,
    },
  },
});
