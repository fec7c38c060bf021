/**
 * Which pods may be reached (findings.md F3, Reference (2) and (3)): read from the objects as they are
 * typed, requirement by requirement, with a reader of addresses of its own.
 */
import { type HuskPod, type HuskRecord, specHashOf } from '../models/husk-pod.ts';
import type { InputOf } from '../protocol/decision.ts';
import type { selectHusk } from '../protocol/select-husk.ts';
import { addressNumber, intervalOf, within } from './addresses/address-number.ts';

export interface HuskScene extends Omit<InputOf<typeof selectHusk>, 'pods' | 'ledger' | 'podName'> {
  readonly pods: readonly HuskPod[];
  readonly ledger: readonly HuskRecord[];
}

/** No pod has one of these: RFC 4291, RFC 3927, RFC 5771, RFC 1112. */
const impossible = [
  ['0.0.0.0/8', 'unspecified'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::/80', 'unspecified, loopback, IPv4-mapped or IPv4-compatible'],
  ['fe80::/9', 'link-local or site-local'],
  ['ff00::/8', 'multicast'],
].map(([prefix = '', name = '']) => ({ ...intervalOf(prefix), name }));

/** Why this pod may not be reached; null when it may. The first requirement that is not met. */
export function whyNotReached(scene: HuskScene, pod: HuskPod): string | null {
  const record = scene.ledger.find((one) => one.pod.uid === pod.metadata.uid);
  if (record === undefined) return 'the controller did not create it';
  return (
    againstLedger(scene, pod, record) ??
    againstOwner(scene, pod) ??
    againstState(pod, record) ??
    againstReport(pod) ??
    againstAddress(scene, pod)
  );
}

function againstLedger(scene: HuskScene, { metadata }: HuskPod, record: HuskRecord): string | null {
  const { pool, holder, podUid } = scene;
  const same = record.pod.namespace === metadata.namespace && record.pod.name === metadata.name;
  if (!same) return 'the record is of another name';
  if (record.pool.uid !== pool.uid || metadata.namespace !== pool.namespace) return 'of another pool';
  if (podUid !== null && podUid !== metadata.uid) return 'another pod is meant';
  if (record.holder !== (podUid === null ? null : holder)) return 'the ledger holds it for somebody else';
  const label = metadata.labels['mitos.run/claim'];
  return label === undefined || label === holder ? null : 'its claim label names another';
}

function againstOwner({ pool }: HuskScene, { metadata }: HuskPod): string | null {
  const controllers = metadata.ownerReferences.filter(({ controller }) => controller === true);
  const [owner] = controllers;
  if (owner === undefined || controllers.length !== 1) return 'it has not exactly one controller reference';
  const group = /^([^/]+)\/[^/]+$/.exec(owner.apiVersion)?.[1];
  if (group !== 'mitos.run' || owner.kind !== 'SandboxPool')
    return 'its owner is no SandboxPool of mitos.run';
  if (owner.name !== pool.name || owner.uid !== pool.uid) return 'its owner is another pool';
  if (owner.blockOwnerDeletion !== true) return 'blockOwnerDeletion is not set';
  const { labels } = metadata;
  const labelled = labels['mitos.run/husk'] === 'true' && labels['mitos.run/pool'] === pool.name;
  return labelled ? null : 'its labels are not the controller’s';
}

function againstState({ metadata, spec, status }: HuskPod, record: HuskRecord): string | null {
  if (metadata.deletionTimestamp !== undefined) return 'it is terminating';
  if (status.phase !== 'Running') return 'it does not run';
  const ready = status.conditions.filter(({ type }) => type === 'Ready');
  if (ready.length === 0 || !ready.every((one) => one.status === 'True')) return 'it is not Ready';
  if ((status.ephemeralContainerStatuses ?? []).length > 0) return 'it has an ephemeral container';
  if (status.containerStatuses.some(({ restartCount }) => restartCount > 0)) return 'it was restarted';
  return specHashOf(spec) === record.specHash ? null : 'its spec has drifted';
}

/** kubelet reports every container that runs. */
function againstReport({ spec, status }: HuskPod): string | null {
  const reported = status.containerStatuses.map(({ name }) => name);
  const silent = spec.containers.find(({ name }) => !reported.includes(name));
  return silent === undefined ? null : `nobody reports its container ${silent.name}`;
}

/** An empty podIP is none. */
function addressesOf({ status }: HuskPod): readonly string[] {
  const { podIP = '', podIPs = [] } = status;
  return [...(podIP === '' ? [] : [podIP]), ...podIPs.map(({ ip }) => ip)];
}

const same = (one: string, other: string) => {
  const [a, b] = [addressNumber(one), addressNumber(other)];
  return a.family === b.family && a.value === b.value;
};

function againstAddress({ pods }: HuskScene, pod: HuskPod): string | null {
  const own = addressesOf(pod);
  if (own.length === 0) return 'it has no address';
  for (const text of own) {
    const block = impossible.find((entry) => within(entry, addressNumber(text)));
    if (block !== undefined) return `${text} is ${block.name}`;
  }
  const { hostIP = '', hostIPs = [] } = pod.status;
  const ofNode = [...(hostIP === '' ? [] : [hostIP]), ...hostIPs.map(({ ip }) => ip)];
  const onNode = own.find((text) => ofNode.some((node) => same(text, node)));
  if (onNode !== undefined) return `${onNode} is its node’s`;
  // A pod that ended keeps its address in its status, and is not there any more.
  const others = pods.filter((one) => one !== pod && !['Succeeded', 'Failed'].includes(one.status.phase));
  const shared = own.find((text) => others.some((one) => addressesOf(one).some((two) => same(text, two))));
  return shared === undefined ? null : `${shared} is another pod’s too`;
}
