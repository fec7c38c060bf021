/** Vectors on the ledger, on operations that reach a held pod, and on objects that no API server stores. */
import type { HuskRecord } from '../../../models/husk-pod.ts';
import { recordOfStored, type StoredPod, storedPod, storedPool, uidOf } from '../../../models/stored-pod.ts';
import {
  claimUid,
  genuine,
  type HuskVector,
  huskName,
  otherUid,
  refuse,
  replaced,
  type SelectionInput,
  select,
  sources,
} from './husk-vector.ts';

const noLedgerRule = 'ledger: this UID was not created by the controller';
const record = (fields: Partial<HuskRecord> = {}): HuskRecord => ({
  ...recordOfStored(genuine()),
  ...fields,
});

function records(): HuskVector[] {
  const is = (
    id: string,
    comment: string,
    ledger: readonly HuskRecord[],
    rule: string,
    source: string = sources.ledger,
  ) => refuse(`ledger/${id}`, comment, { ledger, rule, source });
  const { pod, specHash } = record();
  const drift = 'drift: spec';
  return [
    is('empty', 'no record at all: a controller that lost its ledger reaches nothing', [], noLedgerRule),
    is(
      'of-another',
      'a record of another pod',
      [recordOfStored(storedPod('pool-husk-aaaaa', '10.244.3.18'))],
      noLedgerRule,
    ),
    is(
      'of-the-name-before',
      'the record of a pod that had its name before',
      [record({ pod: { ...pod, uid: uidOf('before') } })],
      noLedgerRule,
    ),
    is(
      'other-name',
      'its UID under another name',
      [record({ pod: { ...pod, name: 'pool-husk-aaaaa' } })],
      'ledger: of another name',
    ),
    is(
      'other-namespace',
      'its UID in another namespace',
      [record({ pod: { ...pod, namespace: 'team-b' } })],
      'ledger: of another name',
    ),
    is(
      'other-pool',
      'made for another pool',
      [record({ pool: { ...storedPool, name: 'pool-2', uid: uidOf('SandboxPool team-a/pool-2') } })],
      'ledger: of another pool',
    ),
    is(
      'pool-before',
      'made for a pool of that name before',
      [record({ pool: { ...storedPool, uid: uidOf('pool before') } })],
      'ledger: of another pool',
    ),
    is(
      'held',
      'held by another claim',
      [record({ holder: otherUid })],
      'ledger: held already',
      sources.claimed,
    ),
    is(
      'held-by-a-child',
      'held by a child of a fork',
      [record({ holder: `${otherUid}.0` })],
      'ledger: held already',
      sources.claimed,
    ),
    is(
      'held-by-itself',
      'held by this very claim: an activation takes a warm one',
      [record({ holder: claimUid })],
      'ledger: held already',
      sources.claimed,
    ),
    is(
      'held-by-empty',
      'held by an empty holder',
      [record({ holder: '' })],
      'ledger: held already',
      sources.claimed,
    ),
    is(
      'hash-upper-case',
      'its hash in upper case',
      [record({ specHash: specHash.toUpperCase() })],
      drift,
      sources.drift,
    ),
    is('hash-empty', 'an empty hash', [record({ specHash: '' })], drift, sources.drift),
    is(
      'hash-of-another',
      'the hash of another template',
      [record({ specHash: uidOf('x') })],
      drift,
      sources.drift,
    ),
    select('ledger/among-others', 'its record among those of others', {
      ledger: [recordOfStored(storedPod('pool-husk-aaaaa', '10.244.3.18'), otherUid), record()],
    }),
    select('ledger/second-pod', 'the first pod is held, the second is warm', {
      ledger: [record({ holder: otherUid }), recordOfStored(storedPod('pool-husk-aaaaa', '10.244.3.18'))],
      others: [storedPod('pool-husk-aaaaa', '10.244.3.18')],
      selects: storedPod('pool-husk-aaaaa', '10.244.3.18'),
      rule: 'ledger: held already',
      source: sources.claimed,
    }),
  ];
}

type Operation = SelectionInput['operation'];
const reaching: readonly Operation[] = [
  'fork-source',
  'fork-child',
  'hydrate',
  'dehydrate',
  'remove-snapshot',
];

/** The names that the published controller predicts. */
const predicted: Readonly<Record<Operation, string>> = {
  activate: huskName,
  'fork-source': huskName,
  'fork-child': 'fork-fork-0',
  hydrate: 'workspace-hydrate',
  dehydrate: 'workspace-dehydrate',
  'remove-snapshot': huskName,
};

function reached(operation: Operation): HuskVector[] {
  const podName = predicted[operation];
  const husk = storedPod(podName, '10.244.3.17');
  const podUid = husk.metadata.uid;
  const holder = operation === 'fork-child' ? `${claimUid}.0` : claimUid;
  const is = (
    id: string,
    comment: string,
    pod: StoredPod,
    ledger: readonly HuskRecord[],
    rule: string,
    uid = podUid,
  ) =>
    refuse(`operation/${operation}/${id}`, comment, {
      operation,
      holder,
      podUid: uid,
      podName,
      pod,
      ledger,
      rule,
      source: sources.byName,
    });
  const bare = replaced(husk, 'metadata', {
    labels: undefined,
    ownerReferences: undefined,
    generateName: undefined,
  });
  const mine = recordOfStored(husk, holder);
  const meant = uidOf('the pod that the ledger means');
  return [
    select(`operation/${operation}/own`, 'the holder’s own husk', {
      operation,
      holder,
      podUid,
      podName,
      pod: husk,
      ledger: [mine],
    }),
    is('bare', 'a bare pod under the predictable name: no labels, no owner', bare, [], noLedgerRule),
    is(
      'bare-beside',
      'a bare pod under the name of a husk that the ledger means by another UID',
      bare,
      [{ ...mine, pod: { ...mine.pod, uid: meant } }],
      noLedgerRule,
      meant,
    ),
    is(
      'another-holder',
      'the husk of another holder',
      husk,
      [recordOfStored(husk, otherUid)],
      'ledger: held by another',
    ),
    is('warm', 'a warm husk that nobody holds', husk, [recordOfStored(husk)], 'ledger: held by another'),
    is(
      'not-the-one',
      'a husk that the holder gave up: the status names another',
      husk,
      [mine],
      'not the pod that is asked for',
      meant,
    ),
    is(
      'drifted',
      'the holder’s husk, its image swapped since',
      replaced(husk, 'spec', { hostPID: true }),
      [mine],
      'drift: spec',
    ),
  ];
}

function heldPods(): HuskVector[] {
  const podUid = genuine().metadata.uid;
  const ledger = [record({ holder: claimUid })];
  const again = {
    operation: 'activate',
    podUid,
    podName: huskName,
    ledger,
    source: sources.claimed,
  } as const;
  const labels = genuine().metadata.labels as Readonly<Record<string, string>>;
  const claimed = (value: string) =>
    replaced(genuine(), 'metadata', { labels: { ...labels, 'mitos.run/claim': value } });
  return [
    select('held/again', 'a second try on the husk that this claim holds', {
      ...again,
      pod: claimed(claimUid),
    }),
    select('held/label-removed', 'somebody removed the claim label: it stays this claim’s', again),
    refuse('held/label-emptied', 'somebody emptied the claim label', {
      ...again,
      pod: claimed(''),
      rule: 'label: names another claim',
    }),
    refuse('held/label-forged', 'somebody wrote another claim’s UID', {
      ...again,
      pod: claimed(otherUid),
      rule: 'label: names another claim',
    }),
    refuse('held/by-another-claim', 'the label was removed, another claim asks', {
      ledger,
      holder: otherUid,
      rule: 'ledger: held already',
      source: sources.claimed,
    }),
    refuse('held/by-its-child', 'a child of a fork is not its claim', {
      ...again,
      holder: `${claimUid}.0`,
      rule: 'ledger: held by another',
    }),
    refuse('held/by-prefix', 'a holder that begins like the claim’s UID', {
      ...again,
      holder: claimUid.slice(0, -1),
      rule: 'ledger: held by another',
    }),
  ];
}

/** Null metadata, numbers for strings, lists for objects. */
function malformed(): HuskVector[] {
  const pod = genuine();
  const anonymous = 'no namespace, name, uid or resourceVersion';
  const is = (id: string, value: unknown, rule: string) =>
    refuse(`malformed/${id}`, `a pod with ${id.replaceAll('-', ' ')}`, {
      pod: value,
      rule,
      source: sources.total,
      flags: ['unstorable'],
    });
  return [
    is('nothing', null, anonymous),
    is('text', 'pool-husk', anonymous),
    is('a-list', [pod], anonymous),
    is('metadata-null', { ...pod, metadata: null }, anonymous),
    is('metadata-a-list', { ...pod, metadata: [pod.metadata] }, anonymous),
    is('uid-a-number', replaced(pod, 'metadata', { uid: 7 }), anonymous),
    is('resource-version-a-number', replaced(pod, 'metadata', { resourceVersion: 81342 }), anonymous),
    is('labels-a-list', replaced(pod, 'metadata', { labels: ['mitos.run/husk'] }), 'label: no husk'),
    is(
      'owners-an-object',
      replaced(pod, 'metadata', { ownerReferences: { 0: pod.metadata.ownerReferences } }),
      'owner: no controller reference',
    ),
    is(
      'controller-a-text',
      replaced(pod, 'metadata', {
        ownerReferences: [{ ...(pod.metadata.ownerReferences as object[])[0], controller: 'true' }],
      }),
      'owner: no controller reference',
    ),
    is('deletion-a-number', replaced(pod, 'metadata', { deletionTimestamp: 0 }), 'terminating'),
    is('status-null', { ...pod, status: null }, 'not Running'),
    is(
      'conditions-an-object',
      replaced(pod, 'status', { conditions: { type: 'Ready', status: 'True' } }),
      'not Ready',
    ),
    is(
      'address-a-number',
      replaced(pod, 'status', { podIP: 2_130_706_433, podIPs: undefined }),
      'address: none',
    ),
    is(
      'second-address-null',
      replaced(pod, 'status', { podIPs: [{ ip: '10.244.3.17' }, null] }),
      'address: none',
    ),
    is(
      'restart-count-a-text',
      replaced(pod, 'status', { containerStatuses: [{ name: 'husk', restartCount: '0' }] }),
      'drift: restarted container',
    ),
    is('spec-a-text', { ...pod, spec: JSON.stringify(pod.spec) }, 'drift: spec'),
  ];
}

export function ledgerVectors(): HuskVector[] {
  return [...records(), ...reaching.flatMap(reached), ...heldPods(), ...malformed()];
}
