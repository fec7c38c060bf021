/**
 * A husk pod, whole, as an API server of version 1.37 stores it: what the controller created, the defaults
 * and admission's additions, the scheduler's node, kubelet's status. Only managedFields are left out.
 */
import { hash } from 'node:crypto';
import { type HuskPod, type HuskRecord, type OwnerReference, specHashOf } from './husk-pod.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Loose, since what tenants and nodes write into it is the point. */
export interface StoredPod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: Fields & { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly spec: HuskPod['spec'];
  readonly status: Fields;
}

/** A UID in the API server's form, the same for the same words. */
export function uidOf(words: string): string {
  const digits = hash('sha256', words);
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `a${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20, 32)].join('-');
}

export const storedPool = {
  namespace: 'team-a',
  name: 'pool',
  uid: uidOf('SandboxPool team-a/pool'),
} as const;

export const storedPoolReference: OwnerReference = {
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'SandboxPool',
  name: storedPool.name,
  uid: storedPool.uid,
  controller: true,
  blockOwnerDeletion: true,
};

const created = '2026-11-24T08:14:03Z';
const started = '2026-11-24T08:14:05Z';
export const nodeAddress = '192.168.7.11';
export const huskImage = `mitos/husk@sha256:${hash('sha256', 'image of the husk')}`;

/** By `name`: its UID, its address of the pod network and everything else. */
export function storedPod(name: string, address: string): StoredPod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: storedMetadata(name),
    spec: storedSpec(),
    status: storedStatus(address),
  };
}

function storedMetadata(name: string): StoredPod['metadata'] {
  return {
    name,
    generateName: 'pool-husk-',
    namespace: storedPool.namespace,
    uid: uidOf(`Pod ${storedPool.namespace}/${name}`),
    resourceVersion: '81342',
    generation: 1,
    creationTimestamp: created,
    labels: { 'mitos.run/husk': 'true', 'mitos.run/pool': storedPool.name },
    ownerReferences: [storedPoolReference],
  };
}

function storedSpec(): StoredPod['spec'] {
  const probe = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
  return {
    volumes: [{ name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } }],
    containers: [
      {
        name: 'husk',
        image: huskImage,
        args: ['--pool=pool', '--listen=:9091'],
        ports: [{ name: 'control', containerPort: 9091, protocol: 'TCP' }],
        env: [{ name: 'POD_UID', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } } }],
        resources: {
          limits: { cpu: '1', memory: '512Mi', 'mitos.run/kvm': '1' },
          requests: { cpu: '250m', memory: '512Mi', 'mitos.run/kvm': '1' },
        },
        volumeMounts: [{ name: 'run', mountPath: '/run/mitos' }],
        readinessProbe: { tcpSocket: { port: 9091 }, ...probe },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
        securityContext: {
          capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
          allowPrivilegeEscalation: false,
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'husk',
    serviceAccount: 'husk',
    automountServiceAccountToken: false,
    nodeName: 'worker-1',
    securityContext: {},
    schedulerName: 'default-scheduler',
    tolerations: ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    })),
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
  };
}

export function condition(type: string, status: string): Fields {
  return { type, observedGeneration: 1, status, lastProbeTime: null, lastTransitionTime: started };
}

/** Without Ready, which vectors set in every way. */
export const otherConditions = [
  'PodReadyToStartContainers',
  'Initialized',
  'ContainersReady',
  'PodScheduled',
].map((type) => condition(type, 'True'));

export function containerStatus(name: string, image: string, restartCount: unknown): Fields {
  return {
    name,
    state: { running: { startedAt: started } },
    lastState: {},
    ready: true,
    restartCount,
    image,
    imageID: image,
    containerID: `containerd://${hash('sha256', name)}`,
    started: true,
    allocatedResources: { cpu: '250m', memory: '512Mi', 'mitos.run/kvm': '1' },
    volumeMounts: [{ name: 'run', mountPath: '/run/mitos' }],
  };
}

function storedStatus(address: string): Fields {
  return {
    observedGeneration: 1,
    phase: 'Running',
    conditions: [...otherConditions, condition('Ready', 'True')],
    hostIP: nodeAddress,
    hostIPs: [{ ip: nodeAddress }],
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: created,
    containerStatuses: [containerStatus('husk', huskImage, 0)],
    qosClass: 'Burstable',
  };
}

/** The record that the controller wrote from the answer to its create, when the pod was as here. */
export function recordOfStored({ metadata, spec }: StoredPod, holder: string | null = null): HuskRecord {
  const { namespace, name, uid } = metadata;
  return {
    pod: { namespace, name, uid },
    pool: storedPool,
    specHash: specHashOf(spec),
    holder,
    resourceVersion: '81350',
  };
}
