/**
 * claim-step: a step decision. The life of claims and forks: the one next write or call, with its
 * precondition and its deadline.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';
import { huskRecord, objectName } from './select-husk.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const created = Type.Object({ name: Type.String(), uid: Type.String() });

export const claimOutcome = Type.Union([
  Type.Object(
    {
      of: Type.Literal('write'),
      purpose: Type.String(),
      result: Type.Union([
        Type.Literal('done'),
        Type.Literal('conflict'),
        Type.Literal('not-found'),
        Type.Literal('exists'),
        Type.Literal('invalid'),
        Type.Literal('unknown'),
      ]),
      uid: nullable(Type.String({ description: 'the UID that the action named as its precondition' })),
      created: nullable(created),
    },
    { description: 'unknown: no answer in time, it may be done yet' },
  ),
  Type.Object(
    {
      of: Type.Literal('dial'),
      podUid: Type.String(),
      result: Type.Union([
        Type.Literal('proved'),
        Type.Literal('other-peer'),
        Type.Literal('refused'),
        Type.Literal('unknown'),
      ]),
      holds: nullable(Type.String({ description: 'the holder that the husk was activated for' })),
    },
    { description: 'nothing secret was sent' },
  ),
  Type.Object({
    of: Type.Union([Type.Literal('deliver'), Type.Literal('dehydrate'), Type.Literal('snapshot')]),
    podUid: Type.String(),
    result: Type.Union([Type.Literal('done'), Type.Literal('refused'), Type.Literal('unknown')]),
    digest: nullable(Type.String()),
  }),
]);

export const claimEvent = Type.Object({
  nowMs: Type.Number(),
  leading: Type.Boolean(),
  owner: Type.Object({
    kind: Type.Union([Type.Literal('SandboxClaim'), Type.Literal('SandboxFork')]),
    namespace: Type.String(),
    name: Type.String(),
    uid: Type.String(),
  }),
  object: Type.Unknown({ description: 'the claim or fork as it was read; null: not found' }),
  live: Type.Boolean({
    description: 'read from the API server itself after the action before, not from a cache',
  }),
  authorized: nullable(
    Type.Array(Type.String(), {
      description: "Secrets that the claim's author may read, from a verified stamp",
    }),
  ),
  source: Type.Unknown({ description: 'of a fork: the claim that it forks' }),
  pool: nullable(objectName),
  ledger: Type.Array(huskRecord),
  pods: Type.Array(Type.Unknown(), { description: "of the pool's namespace, whoever made them" }),
  last: nullable(claimOutcome),
});

const deadlineMs = Type.Number({ exclusiveMinimum: 0 });
const purpose = Type.String();
const target = Type.Object({ kind: Type.String(), namespace: Type.String(), name: Type.String() });
const precondition = Type.Object({
  uid: Type.Optional(Type.String()),
  resourceVersion: Type.Optional(Type.String()),
});
const fields = Type.Record(Type.String(), Type.Unknown());
const reachedFields = {
  pod: objectName,
  address: Type.String(),
  identity: nullable(Type.Object({ namespace: Type.String(), podUid: Type.String() })),
  holder: Type.String(),
  deadlineMs: nullable(deadlineMs),
};

export const claimAction = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('patch'),
      purpose,
      target,
      subresource: nullable(Type.Literal('status')),
      precondition,
      patch: fields,
      deadlineMs,
    },
    { description: 'RFC 7396 merge patch' },
  ),
  Type.Object({ kind: Type.Literal('create'), purpose, object: fields, deadlineMs }),
  Type.Object({ kind: Type.Literal('delete'), purpose, target, precondition, deadlineMs }),
  Type.Object(
    { kind: Type.Literal('dial'), ...reachedFields },
    { description: 'the peer proves to be `identity`; null: nothing is compared' },
  ),
  Type.Object({ kind: Type.Union([Type.Literal('dehydrate'), Type.Literal('snapshot')]), ...reachedFields }),
  Type.Object({
    kind: Type.Literal('deliver'),
    ...reachedFields,
    secrets: Type.Array(Type.String(), { description: 'names of Secrets in the namespace of the claim' }),
    token: created,
    snapshot: nullable(Type.String()),
  }),
  Type.Object({ kind: Type.Literal('read'), deadlineMs }),
  Type.Object({ kind: Type.Literal('wait'), afterMs: Type.Number({ minimum: 0 }) }),
]);

export const claimStep = defineDecision({
  name: 'claim-step',
  summary:
    'Claims, forks and their ends: the one next write or call, with its precondition and deadline, of whatever was read.',
  config: Type.Object(
    {
      identity: Type.String({ description: 'of the process, new at each start' }),
      controllerNamespace: Type.String(),
      writeDeadlineMs: deadlineMs,
      callDeadlineMs: deadlineMs,
      claimDeadlineMs: deadlineMs,
      maxAttempts: Type.Integer({ minimum: 1, maximum: 100 }),
      retryAfterMs: deadlineMs,
      systemSecrets: Type.Array(Type.String()),
    },
    { additionalProperties: false },
  ),
  input: Type.Object({ state: Type.Unknown(), event: claimEvent }, { additionalProperties: false }),
  output: Type.Object({ state: Type.Unknown(), actions: Type.Array(claimAction), rule: Type.String() }),
  equality: ['actions'],
  example: {
    config: {
      identity: 'controller-1',
      controllerNamespace: 'mitos-system',
      writeDeadlineMs: 5_000,
      callDeadlineMs: 10_000,
      claimDeadlineMs: 60_000,
      maxAttempts: 3,
      retryAfterMs: 1_000,
      systemSecrets: ['mitos-ca', 'mitos-forkd-tls'],
    },
    input: {
      state: null,
      event: {
        nowMs: 1_795_000_000_000,
        leading: true,
        owner: { kind: 'SandboxClaim' as const, namespace: 'team-a', name: 'claim', uid: 'uid-claim' },
        object: null,
        live: true,
        authorized: null,
        source: null,
        pool: { namespace: 'team-a', name: 'pool', uid: 'uid-pool' },
        ledger: [],
        pods: [],
        last: null,
      },
    },
  },
});
