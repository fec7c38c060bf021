/**
 * The finite set of pools for which select-husk is proved: pods that are genuine or differ in some fields,
 * records that are theirs or differ, and what is asked for.
 */
import {
  changed,
  genuinePod,
  type HuskPod,
  type HuskRecord,
  pool,
  poolReference,
  recordOf,
} from '../../models/husk-pod.ts';
import type { HuskScene } from '../../oracles/husk-oracle.ts';
import { combinations } from './combinations.ts';
import { wrongTypes } from './wrong-types.ts';

/** Done to a genuine pod; the first choice of each list does nothing. */
export interface PodChoice {
  readonly says: string;
  readonly apply: (pod: HuskPod) => HuskPod;
}

export interface RecordChoice {
  readonly says: string;
  /** The record of the genuine pod, changed; null: there is none. */
  readonly of: (pod: HuskPod) => HuskRecord | null;
}

export const holder = 'uid-claim';

const untouched: PodChoice = { says: 'genuine', apply: (pod) => pod };
const owned = (says: string, ownerReferences: HuskPod['metadata']['ownerReferences']): PodChoice => ({
  says,
  apply: (pod) => changed(pod, 'metadata', { ownerReferences }),
});
const owner = (says: string, fields: Partial<typeof poolReference>) =>
  owned(says, [{ ...poolReference, ...fields }]);
const labelled = (says: string, labels: Readonly<Record<string, string>>): PodChoice => ({
  says,
  apply: (pod) => changed(pod, 'metadata', { labels: { ...pod.metadata.labels, ...labels } }),
});
const status = (says: string, fields: Partial<HuskPod['status']>): PodChoice => ({
  says,
  apply: (pod) => changed(pod, 'status', fields),
});
const at = (says: string, podIP: string, ...more: string[]) =>
  status(says, { podIP, podIPs: [podIP, ...more].map((ip) => ({ ip })) });
const specced = (says: string, fields: Partial<HuskPod['spec']>): PodChoice => ({
  says,
  apply: (pod) => changed(pod, 'spec', fields),
});
const ready = (...values: string[]) => ({
  conditions: values.map((value) => ({ type: 'Ready', status: value })),
});
const job = { ...poolReference, apiVersion: 'batch/v1', kind: 'Job', name: 'own', uid: 'uid-own' };

/** One list a field. */
export const podChoices: readonly (readonly PodChoice[])[] = [
  [
    untouched,
    owned('no owner', []),
    owner('an owner that is no controller', { controller: false }),
    owner('an owner of another group', { apiVersion: 'attacker.example/v1' }),
    owner('an owner of a group that begins alike', { apiVersion: 'mitos.run.attacker.example/v1' }),
    owner('an owner of another kind', { kind: 'SandboxTemplate' }),
    owner('an owner of another name', { name: 'pool-2' }),
    owner('an owner of another UID', { uid: 'uid-pool-before' }),
    owned('a second controller', [poolReference, job]),
    owner('blockOwnerDeletion false', { blockOwnerDeletion: false }),
  ],
  [untouched, labelled('no husk by its label', { 'mitos.run/husk': 'false' })],
  [
    untouched,
    labelled('labelled for this claim', { 'mitos.run/claim': holder }),
    labelled('labelled for another claim', { 'mitos.run/claim': 'uid-claim-2' }),
    labelled('an empty claim label', { 'mitos.run/claim': '' }),
  ],
  [untouched, status('not Running', { phase: 'Pending' })],
  [
    untouched,
    status('not Ready', ready('False')),
    status('no Ready condition', ready()),
    status('Ready and not Ready', ready('True', 'False')),
  ],
  [
    untouched,
    {
      says: 'terminating',
      apply: (pod) => changed(pod, 'metadata', { deletionTimestamp: '2026-11-25T00:00:00Z' }),
    },
  ],
  [
    untouched,
    status('restarted', { containerStatuses: [{ name: 'husk', restartCount: 1 }] }),
    status('with a container that nobody reports', { containerStatuses: [] }),
  ],
  [untouched, status('a running ephemeral container', { ephemeralContainerStatuses: [{ name: 'debug' }] })],
  [
    untouched,
    status('no address', { podIP: '', podIPs: [] }),
    at('at loopback', '127.0.0.1'),
    at('at link-local', '169.254.169.254'),
    at('at a mapped address', '::ffff:10.0.0.9'),
    at('at multicast', 'ff02::1'),
    status('at the address of its node', { hostIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] }),
    status('at the address of its node in another notation', {
      hostIP: 'fd00:7:0::000b',
      podIP: 'fd00:7::b',
      podIPs: [{ ip: 'fd00:7::b' }],
    }),
    at('at loopback by its second address', '10.0.0.7', '127.0.0.1'),
  ],
  [
    untouched,
    specced('another image', { containers: [{ name: 'husk', image: 'attacker/husk' }] }),
    specced('the network of the host', { hostNetwork: true }),
  ],
];

/** Choices that mean something only beside another pod. */
const besideAnother: readonly PodChoice[] = [
  at('at the address of the first pod', '10.0.0.1'),
  at('at the address of the second pod', '10.0.0.2'),
  at('at its own and the first pod’s address', '10.0.0.9', '10.0.0.1'),
  at('at fd00::a', 'fd00::a'),
  at('at fd00::a in another notation', 'fd00:0:0::000A'),
  status('ended', { phase: 'Failed' }),
];

export const recordChoices: readonly RecordChoice[] = [
  { says: 'recorded, warm', of: (pod) => recordOf(pod) },
  { says: 'not recorded', of: () => null },
  { says: 'recorded, held by this holder', of: (pod) => recordOf(pod, holder) },
  { says: 'recorded, held by another', of: (pod) => recordOf(pod, 'uid-claim-2') },
  {
    says: 'recorded under another name',
    of: (pod) => ({ ...recordOf(pod), pod: { ...recordOf(pod).pod, name: 'pool-husk-9' } }),
  },
  {
    says: 'recorded for another pool',
    of: (pod) => ({ ...recordOf(pod), pool: { ...pool, uid: 'uid-pool-before' } }),
  },
];

export interface ScopedScene {
  readonly scene: HuskScene;
  /** One line a pod. */
  readonly says: readonly string[];
}

interface Seen {
  readonly pod: HuskPod;
  readonly record: HuskRecord | null;
  readonly says: string;
}

const genuine = [0, 1].map((index) =>
  genuinePod(`pool-husk-${index}`, `uid-husk-${index}`, `10.0.0.${index + 1}`),
);
const [first, second] = genuine as [HuskPod, HuskPod];

function seen(before: HuskPod, after: HuskPod, faults: readonly string[], record: RecordChoice): Seen {
  const { name, uid } = before.metadata;
  return {
    pod: after,
    record: record.of(before),
    says: `${name} (${uid})  ${[record.says, ...faults].join('; ')}`,
  };
}

function sceneOf(all: readonly Seen[], asker: string, podUid: string | null): ScopedScene {
  return {
    scene: {
      pool,
      pods: all.map(({ pod }) => pod),
      ledger: all.flatMap(({ record }) => (record === null ? [] : [record])),
      operation: podUid === null ? 'activate' : 'hydrate',
      holder: asker,
      podUid,
    },
    says: all.map(({ says }) => says),
  };
}

/** One pod in every combination of its fields, every record of it, everything that is asked. */
export function* lonePods(maxFaults: number): Generator<ScopedScene, void, undefined> {
  for (const { chosen, faults } of combinations(podChoices, maxFaults)) {
    const pod = chosen.reduce((before, { apply }) => apply(before), first);
    for (const record of recordChoices) {
      const one = seen(first, pod, faults, record);
      for (const podUid of [null, first.metadata.uid, second.metadata.uid])
        yield sceneOf([one], holder, podUid);
    }
  }
}

/** Two pods, each with one field changed at most, and their records, in either order. */
export function* pairs(records: readonly RecordChoice[]): Generator<ScopedScene, void, undefined> {
  const choices = [untouched, ...podChoices.flatMap(([, ...others]) => others), ...besideAnother];
  const all = (before: HuskPod) =>
    choices.flatMap((choice) =>
      records.map((record) =>
        seen(before, choice.apply(before), choice === untouched ? [] : [choice.says], record),
      ),
    );
  const others = all(second);
  for (const one of all(first)) {
    for (const other of others) {
      for (const podUid of [null, first.metadata.uid, second.metadata.uid]) {
        yield sceneOf([one, other], holder, podUid);
        yield sceneOf([other, one], holder, podUid);
      }
    }
  }
}

/** A pod with one part of another type than any API server stores, and what was done to it. */
export interface StrangePod {
  readonly pod: unknown;
  readonly says: string;
  readonly record: HuskRecord;
}

/** Pods with one field changed at most, then one part of them replaced by a value of another type. */
export function* strangePods(): Generator<StrangePod, void, undefined> {
  for (const { chosen, faults } of combinations(podChoices, 1)) {
    const pod = chosen.reduce((before, { apply }) => apply(before), first);
    for (const { path, by, value } of wrongTypes(pod)) {
      const says = `${[...faults, `${path === '' ? 'the pod' : path} is ${by}`].join('; ')}`;
      yield { pod: value, says, record: recordOf(first) };
    }
  }
}

/** The scope in words, counted. */
export function huskScope(): string[] {
  const fields = podChoices.map((list) => list.length).join(' × ');
  const single = 1 + podChoices.reduce((sum, list) => sum + list.length - 1, besideAnother.length);
  return [
    `one pod: ${fields} values of owner, husk label, claim label, phase, Ready, deletion, restarts, ephemeral containers, address and spec, ` +
      `${recordChoices.length} records, activation or reach by UID of it or of another`,
    `two pods, each genuine or with one field changed (${single} ways, shared addresses among them), ${recordChoices.length} records each, ` +
      'in either order, asked for any or for one of them',
    'one pod, genuine or with one field changed, of which any part is replaced by null, a boolean, a number, text, a list or an object: ' +
      'never a throw, never a pod that the ledger does not hold warm',
  ];
}
