/** Vectors on owner references: of the controller's own pods, rewritten; of pods that a tenant planted. */
import type { OwnerReference } from '../../../models/husk-pod.ts';
import {
  recordOfStored,
  type StoredPod,
  storedPod,
  storedPool,
  storedPoolReference,
  uidOf,
} from '../../../models/stored-pod.ts';
import { genuine, type HuskVector, refuse, replaced, select, sources } from './husk-vector.ts';

const owned = (references: unknown): StoredPod =>
  replaced(genuine(), 'metadata', { ownerReferences: references });

const { controller: _controller, ...withoutController } = storedPoolReference;
const { blockOwnerDeletion: _block, ...withoutBlock } = storedPoolReference;
const job: OwnerReference = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  name: 'crawl',
  uid: uidOf('Job team-a/crawl'),
  controller: true,
  blockOwnerDeletion: true,
};
const configMap: OwnerReference = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: 'own',
  uid: uidOf('ConfigMap own'),
};
const noLedgerRule = 'ledger: this UID was not created by the controller';

/** The controller's pod; somebody rewrote its references. */
function rewrittenOwners(): HuskVector[] {
  const is = (id: string, comment: string, references: unknown, rule: string) =>
    refuse(`owner/${id}`, comment, { pod: owned(references), rule: `owner: ${rule}`, source: sources.owner });
  const reference = (fields: Partial<OwnerReference>) => [{ ...storedPoolReference, ...fields }];
  const none = 'no controller reference';
  return [
    is('none', 'no owner reference', [], none),
    is('absent', 'no list of owner references', undefined, none),
    is('controller-absent', 'the pool owns it, controller is absent', [withoutController], none),
    is('controller-false', 'the pool owns it, controller is false', reference({ controller: false }), none),
    is('only-a-config-map', 'a ConfigMap of the tenant owns it', [configMap], none),
    is('job', 'its controller is a Job of the tenant', [job], 'of another API group'),
    is(
      'job-and-pool',
      'the pool is an owner, the Job its controller',
      [withoutController, job],
      'of another API group',
    ),
    is(
      'two-controllers-pool-first',
      'two controller references, the pool first',
      [storedPoolReference, job],
      'more than one controller reference',
    ),
    is(
      'two-controllers-pool-last',
      'two controller references, the pool last',
      [job, storedPoolReference],
      'more than one controller reference',
    ),
    is(
      'two-controllers-one-uid',
      'two controller references with the UID of the pool',
      [storedPoolReference, { ...job, uid: storedPool.uid }],
      'more than one controller reference',
    ),
    is(
      'the-pool-twice',
      'the pool is its controller twice',
      [storedPoolReference, storedPoolReference],
      'more than one controller reference',
    ),
    is(
      'group-other',
      'a SandboxPool of another API group',
      reference({ apiVersion: 'attacker.example/v1alpha1' }),
      'of another API group',
    ),
    is(
      'group-core',
      'a SandboxPool of the core group',
      reference({ apiVersion: 'v1alpha1' }),
      'of another API group',
    ),
    is(
      'group-longer',
      'a group that begins like ours',
      reference({ apiVersion: 'mitos.run.attacker.example/v1alpha1' }),
      'of another API group',
    ),
    is(
      'group-under',
      'a group under ours',
      reference({ apiVersion: 'pools.mitos.run/v1alpha1' }),
      'of another API group',
    ),
    is(
      'group-upper-case',
      'the group in upper case',
      reference({ apiVersion: 'MITOS.RUN/v1alpha1' }),
      'of another API group',
    ),
    is(
      'group-alone',
      'the group without a version',
      reference({ apiVersion: 'mitos.run' }),
      'of another API group',
    ),
    is('group-empty', 'an empty apiVersion', reference({ apiVersion: '' }), 'of another API group'),
    is('kind-other', 'another kind of our group', reference({ kind: 'SandboxTemplate' }), 'of another kind'),
    is('kind-lower-case', 'the kind in lower case', reference({ kind: 'sandboxpool' }), 'of another kind'),
    is(
      'kind-plural',
      'the resource instead of the kind',
      reference({ kind: 'SandboxPools' }),
      'of another kind',
    ),
    is('name-other', 'another pool of the namespace', reference({ name: 'pool-2' }), 'of another name'),
    is('name-longer', 'a name that begins like the pool’s', reference({ name: 'pool-' }), 'of another name'),
    is(
      'uid-before',
      'the UID of a pool that was deleted, made again under its name',
      reference({ uid: uidOf('pool before') }),
      'of another UID',
    ),
    is(
      'uid-other-pool',
      'the UID of another pool',
      reference({ uid: uidOf('SandboxPool team-a/pool-2') }),
      'of another UID',
    ),
    is(
      'uid-upper-case',
      'the UID in upper case',
      reference({ uid: storedPool.uid.toUpperCase() }),
      'of another UID',
    ),
    is('uid-empty', 'an empty UID', reference({ uid: '' }), 'of another UID'),
    is('block-absent', 'blockOwnerDeletion is absent', [withoutBlock], 'blockOwnerDeletion is not true'),
    is(
      'block-false',
      'blockOwnerDeletion is false',
      reference({ blockOwnerDeletion: false }),
      'blockOwnerDeletion is not true',
    ),
  ];
}

/** Made by a tenant who may create pods: nothing of it stands in the ledger. */
function plantedPods(): HuskVector[] {
  const decoy = storedPod('a-decoy', '10.244.3.99');
  const is = (id: string, comment: string, pod: StoredPod, source: string = sources.forged) =>
    refuse(`planted/${id}`, comment, { pod, rule: noLedgerRule, source });
  const of = (references: readonly object[]) => replaced(decoy, 'metadata', { ownerReferences: references });
  return [
    is(
      'labels-alone',
      'husk labels and no owner',
      of([]),
      'findings.md F3 Vulnerable: whatever is Running, Ready and has the husk labels',
    ),
    is(
      'perfect',
      'a perfect reference: the plugin is off, or the tenant has sandboxpools/finalizers',
      of([storedPoolReference]),
    ),
    is(
      'uid-of-nothing',
      'a reference with a UID that nothing has',
      of([{ ...storedPoolReference, uid: uidOf('nothing') }]),
    ),
    is(
      'block-absent-real-uid',
      'the real UID, blockOwnerDeletion absent: stored with the plugin on',
      of([withoutBlock]),
      sources.plugin,
    ),
    is(
      'block-false-real-uid',
      'the real UID, blockOwnerDeletion false: stored with the plugin on',
      of([{ ...storedPoolReference, blockOwnerDeletion: false }]),
      sources.plugin,
    ),
    is(
      'group-of-the-tenant',
      'a SandboxPool of a group that the tenant serves',
      of([{ ...storedPoolReference, apiVersion: 'attacker.example/v1alpha1' }]),
      sources.plugin,
    ),
    is(
      'uid-swap',
      'made under a ConfigMap with the UID of the pool, then patched to SandboxPool',
      replaced(of([storedPoolReference]), 'metadata', { resourceVersion: '81377', generation: 1 }),
      sources.plugin,
    ),
    is(
      'uid-swap-before',
      'made under a ConfigMap of the tenant with the UID of the pool, not patched yet',
      of([{ ...storedPoolReference, apiVersion: 'v1', kind: 'ConfigMap', name: 'own' }]),
      sources.plugin,
    ),
    is(
      'two-references-one-uid',
      'a ConfigMap and the pool under one UID',
      of([{ ...configMap, uid: storedPool.uid }, storedPoolReference]),
      sources.plugin,
    ),
    is(
      'many-references',
      'the pool among twenty owners',
      of([
        ...Array.from({ length: 20 }, (_, index) => ({
          ...configMap,
          name: `own-${index}`,
          uid: uidOf(`own ${index}`),
        })),
        storedPoolReference,
      ]),
    ),
    is(
      'copied-annotations',
      'annotations copied from a husk',
      replaced(of([storedPoolReference]), 'metadata', {
        annotations: { 'mitos.run/spec-hash': recordOfStored(genuine()).specHash },
      }),
    ),
    is(
      'finalizer',
      'a finalizer that keeps it there',
      replaced(of([storedPoolReference]), 'metadata', { finalizers: ['attacker.example/stay'] }),
    ),
    is('another-name', 'a name like the controller’s own', storedPod('pool-husk-zz9zz', '10.244.3.98')),
  ];
}

function goodOwners(): HuskVector[] {
  return [
    select('owner/plain', 'the controller’s own pod, warm and ready'),
    select('owner/other-version', 'the pool in another version of our group', {
      pod: owned([{ ...storedPoolReference, apiVersion: 'mitos.run/v1' }]),
      source: sources.owner,
    }),
    select('owner/beside-others', 'other owners beside it, none a controller', {
      pod: owned([configMap, storedPoolReference, { ...job, controller: false }]),
      source: sources.owner,
    }),
  ];
}

export function ownerVectors(): HuskVector[] {
  return [...goodOwners(), ...rewrittenOwners(), ...plantedPods()];
}
