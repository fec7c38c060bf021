/**
 * select-husk: which pod may be reached, for an activation or for any later operation.
 * Invariant: only a pod that the ledger holds by UID, owned by exactly this pool, unchanged since the
 * controller created it, running and ready at an address of its own. Neither labels nor names nor what the
 * pod says of itself make a pod trusted.
 */
import {
  apiGroup,
  claimLabel,
  type HuskRecord,
  huskLabel,
  type ObjectName,
  poolLabel,
} from '#reference/contract/husk.ts';
import { fieldOf, isObject, listOf } from '../json-values.ts';
import { formatAddress } from '../pin-address/ip-address.ts';
import { AddressOwners } from './address-owners.ts';
import { specHashOf } from './kept-pod.ts';
import { addressKey, addressOctets, whyNoPodAddress } from './pod-address.ts';
import {
  addressesOf,
  labelOf,
  nodeAddressesOf,
  type PodName,
  podNameOf,
  whyNotReported,
  whyNotRunning,
} from './pod-view.ts';

/** Anything but `activate` reaches one pod that a holder has already. */
export type Operation =
  | 'activate'
  | 'fork-source'
  | 'fork-child'
  | 'hydrate'
  | 'dehydrate'
  | 'remove-snapshot';

export interface SelectionCase {
  readonly pool: ObjectName;
  /** As the API server stores them: of the pool's namespace, whoever made them. */
  readonly pods: readonly unknown[];
  readonly ledger: readonly HuskRecord[];
  readonly operation: Operation;
  /** UID of the claim, or `<UID of the fork>.<index>`. */
  readonly holder: string;
  /** UID of the pod to reach; null for `activate`, which takes a warm one. */
  readonly podUid: string | null;
}

export interface SelectedPod extends PodName {
  /** Canonical text (RFC 5952). */
  readonly address: string;
}

export interface Refusal {
  /** `namespace/name`, or the index in the list when the pod has no readable name. */
  readonly pod: string;
  readonly rule: string;
}

export interface Selection {
  readonly verdict: 'select' | 'refuse';
  /** Every write to it names this UID and this resourceVersion. */
  readonly pod: SelectedPod | null;
  /** The pods that were looked at and refused; all of them when none is selected. */
  readonly refusals: readonly Refusal[];
  readonly rule: string;
}

/**
 * Total. Looks at pods from a place that the holder's name decides, so that claims at one time do not all
 * want the same. A planted pod costs one look into the ledger.
 */
export function selectHusk(input: SelectionCase): Selection {
  const { pods, ledger, holder } = input;
  const records = new Map<string, HuskRecord>();
  for (const record of ledger) records.set(record.pod.uid, record);
  const owners = new AddressOwners(pods);
  const refusals: Refusal[] = [];
  const start = pods.length === 0 ? 0 : spread(holder) % pods.length;
  for (let count = 0; count < pods.length; count++) {
    const index = (start + count) % pods.length;
    const pod = pods[index];
    const name = podNameOf(pod);
    const judged = name === null ? noName : judgePod(input, pod, name, records, owners);
    if (typeof judged !== 'string') {
      return { verdict: 'select', pod: judged, refusals, rule: 'in the ledger, owned, unchanged, ready' };
    }
    refusals.push({ pod: name === null ? `#${index}` : `${name.namespace}/${name.name}`, rule: judged });
  }
  return { verdict: 'refuse', pod: null, refusals, rule: 'no pod is left' };
}

const noName = 'no namespace, name, uid or resourceVersion';

/** FNV-1a over the first characters. */
function spread(holder: string): number {
  let sum = 0x811c9dc5;
  for (let index = 0; index < Math.min(holder.length, 64); index++) {
    sum = Math.imul(sum ^ holder.charCodeAt(index), 0x01000193) >>> 0;
  }
  return sum;
}

/** The pod, or the rule that refuses it. What costs most comes last. */
function judgePod(
  input: SelectionCase,
  pod: unknown,
  name: PodName,
  records: ReadonlyMap<string, HuskRecord>,
  owners: AddressOwners,
): SelectedPod | string {
  const record = records.get(name.uid);
  if (record === undefined) return 'ledger: this UID was not created by the controller';
  const why =
    whyNotTheRecord(input, name, record) ??
    whyNotAvailable(input, record, pod) ??
    whyNotOwned(input.pool, pod) ??
    whyNotLabelled(input, pod) ??
    whyNotRunning(pod);
  if (why !== null) return why;
  const address = ownAddress(pod, owners);
  if (typeof address !== 'string') return address.refused;
  if (specHashOf(fieldOf(pod, 'spec')) !== record.specHash) return 'drift: spec';
  return whyNotReported(pod) ?? { ...name, address };
}

function whyNotTheRecord(input: SelectionCase, name: PodName, record: HuskRecord): string | null {
  const { pool, podUid } = input;
  if (record.pod.namespace !== name.namespace || record.pod.name !== name.name) {
    return 'ledger: of another name';
  }
  if (record.pool.uid !== pool.uid || name.namespace !== pool.namespace) return 'ledger: of another pool';
  return podUid !== null && name.uid !== podUid ? 'not the pod that is asked for' : null;
}

/** The ledger says whose a pod is; a claim label that says otherwise was not written by the controller. */
function whyNotAvailable({ podUid, holder }: SelectionCase, record: HuskRecord, pod: unknown): string | null {
  const wanted = podUid === null ? null : holder;
  if (record.holder !== wanted) return wanted === null ? 'ledger: held already' : 'ledger: held by another';
  const claim = labelOf(pod, claimLabel);
  // A held pod whose claim label somebody took away stays its holder's.
  return claim === undefined || claim === holder ? null : 'label: names another claim';
}

function whyNotOwned(pool: ObjectName, pod: unknown): string | null {
  const references = listOf(fieldOf(fieldOf(pod, 'metadata'), 'ownerReferences'));
  const controllers = references.filter((one) => fieldOf(one, 'controller') === true);
  const [owner] = controllers;
  if (!isObject(owner)) return 'owner: no controller reference';
  if (controllers.length > 1) return 'owner: more than one controller reference';
  const version = fieldOf(owner, 'apiVersion');
  if (typeof version !== 'string' || version.split('/')[0] !== apiGroup || !version.includes('/')) {
    return 'owner: of another API group';
  }
  if (fieldOf(owner, 'kind') !== 'SandboxPool') return 'owner: of another kind';
  if (fieldOf(owner, 'name') !== pool.name) return 'owner: of another name';
  if (fieldOf(owner, 'uid') !== pool.uid) return 'owner: of another UID';
  return fieldOf(owner, 'blockOwnerDeletion') === true ? null : 'owner: blockOwnerDeletion is not true';
}

/** Labels make no pod trusted; a pod whose labels are not the controller's was changed by somebody else. */
function whyNotLabelled({ pool }: SelectionCase, pod: unknown): string | null {
  if (labelOf(pod, huskLabel) !== 'true') return 'label: no husk';
  return labelOf(pod, poolLabel) === pool.name ? null : 'label: of another pool';
}

function ownAddress(pod: unknown, owners: AddressOwners): string | { refused: string } {
  const addresses = addressesOf(pod);
  const dialled = addressOctets(addresses[0]);
  if (dialled === null) return { refused: 'address: none' };
  const ofNode = nodeAddressesOf(pod).map(addressKey);
  for (const [index, address] of addresses.entries()) {
    // The first of podIPs is podIP again.
    if (index > 0 && address === addresses[0]) continue;
    const octets = addressOctets(address);
    if (octets === null) return { refused: 'address: none' };
    const why = whyNoPodAddress(octets);
    if (why !== null) return { refused: why };
    // No husk is on the network of its node: what answers there is not the pod.
    if (ofNode.includes(addressKey(address))) return { refused: 'address: of its node' };
    if (owners.isShared(address)) return { refused: 'address: of another pod too' };
  }
  return formatAddress(dialled);
}
