/**
 * resume-gate: may the memory of a sandbox be captured for a claim, may a head's memory be resumed for it, or
 * what must be asked first?
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

const objectName = Type.Object({ namespace: Type.String(), name: Type.String(), uid: Type.String() });
const texts = Type.Array(Type.String());
const extra = Type.Record(Type.String(), texts);

export const author = Type.Object(
  { username: Type.String(), uid: Type.String(), groups: texts, extra },
  { description: 'who sent the request that created or last changed the claim, as the API server said' },
);

export const admissionStamp = Type.Object(
  {
    author,
    namespace: Type.String(),
    name: Type.String(),
    principal: Type.Union([Type.Null(), objectName]),
    secrets: texts,
    specHash: Type.String({
      description:
        "lower-case hex SHA-256 of the canonical JSON (sorted keys, no white space) of the claim's spec",
    }),
  },
  { description: 'what admission found when it let the claim pass; verified with the key' },
);

export const memoryBinding = Type.Object(
  {
    memory: Type.String({ description: 'digest of the memory snapshot' }),
    workspace: objectName,
    revisionUid: Type.String({ description: 'of the WorkspaceRevision that the controller wrote for it' }),
    principal: objectName,
  },
  { description: "a durable record in the controller's namespace" },
);

export const accessReview = Type.Object(
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
      subresource: Type.String(),
      name: Type.String(),
    }),
  },
  { description: 'the spec of a SubjectAccessReview (authorization.k8s.io/v1)' },
);

const reviewAnswer = Type.Object({
  review: Type.Unknown({ description: 'what was asked' }),
  status: Type.Optional(Type.Unknown({ description: 'status of the SubjectAccessReview that came back' })),
  error: Type.Optional(Type.Unknown({ description: 'why none came back: an error, a time-out' })),
});

const asRead = (what: string) =>
  Type.Unknown({ description: `${what}, as the API server has it now; null: there is none` });

export const resumeGate = defineDecision({
  name: 'resume-gate',
  summary:
    'May the memory of a sandbox be captured for this claim, may the memory of this head be resumed for it, or which reviews must be asked first?',
  config: Type.Object(
    {
      deadlineMs: Type.Integer({
        minimum: 1,
        maximum: 600_000,
        description: 'from asking the reviews to having all answers',
      }),
    },
    { additionalProperties: false },
  ),
  input: Type.Object(
    {
      operation: Type.Union([Type.Literal('resume'), Type.Literal('capture')]),
      claim: asRead('the SandboxClaim'),
      workspace: asRead('the Workspace; its status.head is {name, uid}'),
      head: asRead(
        'the WorkspaceRevision to resume; its spec holds memorySnapshot and memorySnapshotPrincipal',
      ),
      serviceAccount: asRead('the ServiceAccount that the claim names'),
      stamp: Type.Union([Type.Null(), admissionStamp], {
        description: 'null: the claim has none, or one that does not verify',
      }),
      stampSeenOn: Type.Union([Type.Null(), Type.String()], {
        description: 'UID of the claim on which the controller saw this stamp first, from its durable record',
      }),
      startedAs: Type.Union([Type.Null(), objectName], {
        description: 'principal of the claim when its sandbox was started, from the durable record',
      }),
      bindings: Type.Array(memoryBinding),
      answers: Type.Union([Type.Null(), Type.Array(reviewAnswer)], { description: 'null: not asked yet' }),
      elapsedMs: Type.Number({ minimum: 0, description: 'since the reviews were asked' }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([
      Type.Literal('resume'),
      Type.Literal('capture'),
      Type.Literal('refuse'),
      Type.Literal('review'),
    ]),
    reviews: Type.Optional(
      Type.Array(accessReview, {
        minItems: 1,
        description:
          'ask all of them; then ask again with the answers, each beside its review, in this order',
      }),
    ),
    memory: Type.Optional(Type.String({ description: 'digest of what is loaded, and of nothing else' })),
    binding: Type.Optional(
      Type.Object(
        { workspace: objectName, principal: objectName },
        { description: 'what the binding of the captured memory holds' },
      ),
    ),
    rule: Type.String(),
  }),
  equality: ['verdict', 'reviews', 'memory', 'binding'],
  example: {
    config: { deadlineMs: 3000 },
    input: {
      operation: 'resume',
      claim: {
        metadata: { namespace: 'team-a', name: 'claim', uid: 'uid-claim' },
        spec: { poolRef: 'pool', serviceAccount: 'agent', workspaceRef: 'ws' },
      },
      workspace: {
        metadata: { namespace: 'team-a', name: 'ws', uid: 'uid-ws' },
        status: { head: { name: 'ws-1', uid: 'uid-ws-1' } },
      },
      head: {
        metadata: { namespace: 'team-a', name: 'ws-1', uid: 'uid-ws-1' },
        spec: { memorySnapshot: 'sha256:5a', memorySnapshotPrincipal: 'agent' },
      },
      serviceAccount: { metadata: { namespace: 'team-a', name: 'agent', uid: 'uid-agent' } },
      stamp: null,
      stampSeenOn: null,
      startedAs: null,
      bindings: [],
      answers: null,
      elapsedMs: 0,
    },
  },
});
