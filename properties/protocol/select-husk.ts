/** select-husk: which pod may be reached, for an activation or for any later operation. */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

export const objectName = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  uid: Type.String(),
});

export const huskRecord = Type.Object(
  {
    pod: objectName,
    pool: objectName,
    specHash: Type.String({
      description:
        "lower-case hex SHA-256 of the canonical JSON (sorted keys, no white space) of the pod's spec without nodeName, as the API server answered the controller's create",
    }),
    holder: Type.Union([Type.String(), Type.Null()], {
      description: 'UID of the claim, or <UID of the fork>.<index>; null: warm',
    }),
    resourceVersion: Type.String(),
  },
  { description: 'one record of the ledger: a pod that the controller created itself' },
);

export const selectedPod = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  uid: Type.String(),
  resourceVersion: Type.String(),
  address: Type.String({ description: 'what is dialled' }),
});

const operation = Type.Union([
  Type.Literal('activate'),
  Type.Literal('fork-source'),
  Type.Literal('fork-child'),
  Type.Literal('hydrate'),
  Type.Literal('dehydrate'),
  Type.Literal('remove-snapshot'),
]);

export const selectHusk = defineDecision({
  name: 'select-husk',
  summary:
    'Pods as the API server stores them and the ledger of pods that the controller created: which one may be reached, or why none.',
  config: Type.Object({}, { additionalProperties: false }),
  input: Type.Object(
    {
      pool: objectName,
      pods: Type.Array(Type.Unknown(), { description: "of the pool's namespace, whoever made them" }),
      ledger: Type.Array(huskRecord),
      operation,
      holder: Type.String({ description: 'UID of the claim, or <UID of the fork>.<index>' }),
      podUid: Type.Union([Type.String(), Type.Null()], {
        description: 'the pod to reach; null for activate, which takes any warm one',
      }),
      podName: Type.Union([Type.String(), Type.Null()], {
        description: 'the name that the operation would predict, for subjects that go by it',
      }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('select'), Type.Literal('refuse')]),
    pod: Type.Union([selectedPod, Type.Null()]),
    refusals: Type.Array(Type.Object({ pod: Type.String(), rule: Type.String() }), {
      description: 'the pods that were looked at and refused; all of them when none is selected',
    }),
    rule: Type.String(),
  }),
  equality: ['verdict', 'pod'],
  example: {
    config: {},
    input: {
      pool: { namespace: 'team-a', name: 'pool', uid: 'uid-pool' },
      pods: [],
      ledger: [],
      operation: 'activate',
      holder: 'uid-claim',
      podUid: null,
      podName: null,
    },
  },
});
