/**
 * A husk pod as the API server stores it after the controller created it, the ledger's record of it, and
 * what tenants do to either.
 */
import { hash } from 'node:crypto';
import type { InputOf } from '../protocol/decision.ts';
import type { selectHusk } from '../protocol/select-husk.ts';

export type HuskRecord = InputOf<typeof selectHusk>['ledger'][number];

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly [field: string]: unknown;
}

export interface HuskPod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly OwnerReference[];
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly containers: readonly Container[]; readonly [field: string]: unknown };
  readonly status: {
    readonly phase: string;
    readonly hostIP?: string;
    readonly hostIPs?: readonly { readonly ip: string }[];
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses: readonly { readonly name: string; readonly restartCount: number }[];
    readonly ephemeralContainerStatuses?: readonly { readonly name: string }[];
  };
}

export const pool = { namespace: 'team-a', name: 'pool', uid: 'uid-pool' } as const;

export const poolReference: OwnerReference = {
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'SandboxPool',
  name: pool.name,
  uid: pool.uid,
  controller: true,
  blockOwnerDeletion: true,
};

/** As the controller creates it and kubelet reports it. */
export function genuinePod(name: string, uid: string, address: string): HuskPod {
  const spec = {
    serviceAccountName: 'husk',
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'husk',
        image: 'mitos/husk@sha256:0b5e',
        securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } },
        resources: { limits: { 'mitos.run/kvm': '1' } },
      },
    ],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: pool.namespace,
      name,
      uid,
      resourceVersion: '100',
      labels: { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name },
      ownerReferences: [poolReference],
    },
    spec: { ...spec, nodeName: 'node-1' },
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: 'True' },
      ],
      containerStatuses: [{ name: 'husk', restartCount: 0 }],
    },
  };
}

/** The record that the controller wrote when it created the pod. */
export function recordOf(pod: HuskPod, holder: string | null = null): HuskRecord {
  const { namespace, name, uid } = pod.metadata;
  return {
    pod: { namespace, name, uid },
    pool,
    specHash: specHashOf(pod.spec),
    holder,
    resourceVersion: '7',
  };
}

/** As the published schema of the record says: canonical JSON of the spec without nodeName. */
export function specHashOf({ nodeName: _scheduled, ...spec }: HuskPod['spec']): string {
  return hash('sha256', JSON.stringify(sorted(spec)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sorted(field)]),
  );
}

type Part = 'metadata' | 'spec' | 'status';

/** The pod with some fields of one part replaced. */
export function changed<P extends Part>(pod: HuskPod, part: P, fields: Partial<HuskPod[P]>): HuskPod {
  return { ...pod, [part]: { ...pod[part], ...fields } };
}
