/** One vector of the corpus: pods and ledger, and which pod may be reached. */
import type { HuskRecord } from '../../../models/husk-pod.ts';
import {
  type Fields,
  recordOfStored,
  type StoredPod,
  storedPod,
  storedPool,
} from '../../../models/stored-pod.ts';
import type { InputOf, OutputOf } from '../../../protocol/decision.ts';
import type { selectHusk } from '../../../protocol/select-husk.ts';

export type SelectionInput = InputOf<typeof selectHusk>;

export interface HuskVector {
  readonly id: string;
  readonly comment: string;
  /** As in the protocol of select-husk; the first pod is the one that the vector is about. */
  readonly input: SelectionInput;
  readonly verdict: 'select' | 'refuse';
  readonly pod: OutputOf<typeof selectHusk>['pod'];
  /** Why the first pod is refused, or that it is not. */
  readonly rule: string;
  readonly source: string;
  /** `negative`: no pod may be reached; `unstorable`: no API server stores it, a broken client may send it. */
  readonly flags: readonly string[];
}

export const sources = {
  ledger:
    'findings.md F3 Reference (2): records the UID and spec hash of each pod it created and refuses every other one',
  drift:
    'findings.md F3 Reference (2): refuses what drifted (image, hostNetwork, ephemeral container, restarted container)',
  claimed:
    'findings.md F3 Reference (2): the claimed state lives there too, not in a label a tenant may remove',
  owner:
    'findings.md F3 Reference (3): group, kind, name and owner UID, exactly one controller reference, blockOwnerDeletion',
  ready: 'findings.md F3 Reference (3): every Ready condition True',
  address: 'findings.md F3 Reference (3): an address that can be a pod’s, shared by no other pod',
  byName: 'findings.md F3 Residual: fetched by predictable name only; Reference (2): for every operation',
  plugin: 'kubernetes.md: OwnerReferencesPermissionEnforcement is not provenance',
  forged: 'findings.md F3 Residual: it checks neither that the owner exists nor its UID; kubernetes.md',
  step: 'findings.md F3 Reference (4): one optimistic-lock step, resourceVersion on every write',
  total: 'issue 5, Bad input: a verdict or a clear error, never a throw',
} as const;

export const huskName = 'pool-husk-7k2xq';
export const huskAddress = '10.244.3.17';
export const claimUid = '5d0f2c7e-4f0b-4b6e-9c55-2f4be3a9a001';
export const otherUid = '5d0f2c7e-4f0b-4b6e-9c55-2f4be3a9a002';

export const genuine = (): StoredPod => storedPod(huskName, huskAddress);

type Parts = 'metadata' | 'spec' | 'status';

/** The pod with some fields replaced; a field that is set to undefined is absent. */
export function replaced(pod: StoredPod, part: Parts, fields: Fields): StoredPod {
  const merged: Record<string, unknown> = { ...pod[part], ...fields };
  for (const key of Object.keys(fields)) if (fields[key] === undefined) delete merged[key];
  return { ...pod, [part]: merged };
}

export interface VectorPart {
  /** Default: the genuine husk. */
  readonly pod?: unknown;
  readonly others?: readonly StoredPod[];
  /** Default: what the controller noted of the genuine husk. */
  readonly ledger?: readonly HuskRecord[];
  readonly operation?: SelectionInput['operation'];
  readonly holder?: string;
  readonly podUid?: string | null;
  readonly podName?: string | null;
  readonly rule?: string;
  readonly source?: string;
  readonly flags?: readonly string[];
}

function inputOf(part: VectorPart): SelectionInput {
  return {
    pool: storedPool,
    pods: ['pod' in part ? part.pod : genuine(), ...(part.others ?? [])],
    ledger: [...(part.ledger ?? [recordOfStored(genuine())])],
    operation: part.operation ?? 'activate',
    holder: part.holder ?? claimUid,
    podUid: part.podUid ?? null,
    podName: part.podName ?? null,
  };
}

/** `selects` is the pod that is reached, the first one if none is named. */
export function select(
  id: string,
  comment: string,
  part: VectorPart & { readonly selects?: StoredPod; readonly at?: string } = {},
): HuskVector {
  const { metadata, status } = part.selects ?? (('pod' in part ? part.pod : genuine()) as StoredPod);
  const { namespace, name, uid } = metadata;
  const resourceVersion = String(metadata.resourceVersion);
  return {
    id,
    comment,
    input: inputOf(part),
    verdict: 'select',
    pod: { namespace, name, uid, resourceVersion, address: part.at ?? String(status.podIP) },
    rule: part.rule ?? 'in the ledger, owned, unchanged, ready',
    source: part.source ?? sources.ledger,
    flags: part.flags ?? [],
  };
}

export function refuse(
  id: string,
  comment: string,
  part: VectorPart & { readonly rule: string; readonly source: string },
): HuskVector {
  const { rule, source } = part;
  const flags = ['negative', ...(part.flags ?? [])];
  return { id, comment, input: inputOf(part), verdict: 'refuse', pod: null, rule, source, flags };
}
