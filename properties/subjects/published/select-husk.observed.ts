/** What was observed of the published selection, and of its reaching pods by name. */
import { genuinePod, pool, poolReference } from '../../models/husk-pod.ts';
import type { InputOf } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';
import type { Observed } from '../observed.ts';

type Input = InputOf<typeof selectHusk>;

const husk = genuinePod('pool-husk-1', 'uid-husk-1', '10.0.0.1');
const decoy = genuinePod('a-decoy', 'uid-decoy', '10.0.0.2');

function input(pods: readonly unknown[], more: Partial<Input> = {}): Input {
  return {
    pool,
    pods: [...pods],
    ledger: [],
    operation: 'activate',
    holder: 'uid-claim',
    podUid: null,
    podName: null,
    ...more,
  };
}

function selects(says: string, pods: readonly unknown[], uid: string | null, more: Partial<Input> = {}) {
  const selected = [husk, decoy].find((pod) => pod.metadata.uid === uid);
  const pod =
    selected === undefined
      ? null
      : {
          namespace: pool.namespace,
          name: selected.metadata.name,
          uid: selected.metadata.uid,
          resourceVersion: '100',
          address: selected.status.podIP ?? '',
        };
  const output = { verdict: pod === null ? ('refuse' as const) : ('select' as const), pod };
  return { says, config: {}, input: input(pods, more), output };
}

const withOwners = (references: readonly object[]) => ({
  ...decoy,
  metadata: { ...decoy.metadata, ownerReferences: references },
});
const withLabels = (labels: object) => ({
  ...decoy,
  metadata: { ...decoy.metadata, labels: { ...decoy.metadata.labels, ...labels } },
});
const withStatus = (status: object) => ({ ...decoy, status: { ...decoy.status, ...status } });

export const observed: readonly Observed<typeof selectHusk>[] = [
  selects('lowest name wins (so a decoy can win the sort)', [husk, decoy], 'uid-decoy'),
  selects(
    'the pod must carry a controller reference, kind: SandboxPool, naming the pool, blockOwnerDeletion: true',
    [withOwners([]), husk],
    'uid-husk-1',
  ),
  selects(
    'the owner UID is deliberately not compared',
    [withOwners([{ ...poolReference, uid: 'uid-of-nothing' }])],
    'uid-decoy',
  ),
  selects('apiVersion is not read', [withOwners([{ ...poolReference, apiVersion: 'x/v1' }])], 'uid-decoy'),
  selects(
    'only the first controller reference counts',
    [withOwners([poolReference, { ...poolReference, kind: 'Job' }])],
    'uid-decoy',
  ),
  selects(
    'only the first controller reference counts',
    [withOwners([{ ...poolReference, kind: 'Job' }, poolReference])],
    null,
  ),
  selects('a claim label with an empty value is free', [withLabels({ 'mitos.run/claim': '' })], 'uid-decoy'),
  selects('husk and pool label count', [withLabels({ 'mitos.run/pool': 'other' })], null),
  selects(
    'the first Ready condition counts',
    [
      withStatus({
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Ready', status: 'False' },
        ],
      }),
    ],
    'uid-decoy',
  ),
  selects('not Running is not selected', [withStatus({ phase: 'Pending' })], null),
  selects('a podIP counts', [withStatus({ podIP: '' })], null),
  selects(
    'image, hostNetwork, sidecars, restarts are not looked at',
    [{ ...decoy, spec: { ...decoy.spec, hostNetwork: true } }],
    'uid-decoy',
  ),
  selects(
    'fork children are fetched by predictable name only: a bare pod, no labels, no owner',
    [{ ...withOwners([]), metadata: { ...withOwners([]).metadata, labels: {} } }],
    'uid-decoy',
    { operation: 'fork-child', podName: 'a-decoy' },
  ),
];
