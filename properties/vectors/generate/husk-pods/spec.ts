/** Vectors on the spec: what a tenant with the stock edit role, a node or an admission webhook changes in it. */
import type { Container } from '../../../models/husk-pod.ts';
import { type Fields, huskImage, recordOfStored, storedPod } from '../../../models/stored-pod.ts';
import { genuine, type HuskVector, refuse, replaced, select, sources } from './husk-vector.ts';

const [husk] = genuine().spec.containers as [Container];
const shell: Container = {
  name: 'debug',
  image: 'attacker/shell',
  command: ['sh'],
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'Always',
};

/** The husk's container with some fields replaced. */
const container = (fields: Fields) => ({ containers: [{ ...husk, ...fields }] });
const volumes = (volume: Fields) => ({
  volumes: [...(genuine().spec.volumes as readonly Fields[]), volume],
});

const changes: readonly (readonly [string, string, Fields])[] = [
  ['image/other', 'the image was swapped: the UID stays', container({ image: 'attacker/husk:latest' })],
  ['image/other-digest', 'the image by another digest', container({ image: huskImage.replace(/.$/, '_') })],
  ['image/by-tag', 'the image by tag instead of by digest', container({ image: 'mitos/husk:v1' })],
  ['image/absent', 'no image', container({ image: undefined })],
  ['image/pull-policy', 'another pull policy', container({ imagePullPolicy: 'Always' })],
  ['image/pull-secrets', 'pull secrets were added', { imagePullSecrets: [{ name: 'own' }] }],
  ['container/command', 'another command', container({ command: ['sh', '-c', 'nc -l 9091'] })],
  [
    'container/args',
    'another argument',
    container({ args: ['--pool=pool', '--listen=:9091', '--insecure'] }),
  ],
  ['container/env', 'a variable was added', container({ env: [{ name: 'LD_PRELOAD', value: '/run/x.so' }] })],
  ['container/env-from', 'variables from a Secret', container({ envFrom: [{ secretRef: { name: 'own' } }] })],
  [
    'container/host-port',
    'a port of the host',
    container({ ports: [{ containerPort: 9091, hostPort: 9091, protocol: 'TCP' }] }),
  ],
  [
    'container/lifecycle',
    'a postStart hook',
    container({ lifecycle: { postStart: { exec: { command: ['sh'] } } } }),
  ],
  [
    'container/liveness',
    'a liveness probe that executes',
    container({ livenessProbe: { exec: { command: ['sh'] } } }),
  ],
  ['container/readiness', 'no readiness probe', container({ readinessProbe: undefined })],
  [
    'container/resources',
    'its limits were changed in place',
    container({ resources: { limits: { cpu: '64' } } }),
  ],
  ['container/tty', 'a terminal', container({ stdin: true, tty: true })],
  ['container/name', 'another name', container({ name: 'husk-2' })],
  [
    'container/mount',
    'another mount',
    container({ volumeMounts: [{ name: 'run', mountPath: '/etc/mitos' }] }),
  ],
  ['container/sidecar', 'a container beside it', { containers: [husk, shell] }],
  ['container/sidecar-first', 'a container before it', { containers: [shell, husk] }],
  ['container/none', 'no container', { containers: [] }],
  ['container/init', 'an init container', { initContainers: [shell] }],
  [
    'container/init-sidecar',
    'an init container that stays',
    { initContainers: [{ ...shell, restartPolicy: 'Always' }] },
  ],
  [
    'container/ephemeral',
    'an ephemeral container',
    { ephemeralContainers: [{ ...shell, targetContainerName: 'husk' }] },
  ],
  ['security/privileged', 'privileged', container({ securityContext: { privileged: true } })],
  [
    'security/escalation',
    'it may escalate',
    container({ securityContext: { ...(husk.securityContext as Fields), allowPrivilegeEscalation: true } }),
  ],
  [
    'security/capability',
    'SYS_ADMIN',
    container({ securityContext: { capabilities: { add: ['NET_ADMIN', 'SYS_ADMIN'], drop: ['ALL'] } } }),
  ],
  ['security/absent', 'no security context', container({ securityContext: undefined })],
  ['security/of-the-pod', 'a user for the whole pod', { securityContext: { runAsUser: 0, fsGroup: 0 } }],
  [
    'security/sysctls',
    'kernel parameters',
    { securityContext: { sysctls: [{ name: 'net.ipv4.ip_forward', value: '1' }] } },
  ],
  ['security/host-users', 'a user namespace of its own', { hostUsers: false }],
  ['host/network', 'the network of the host', { hostNetwork: true }],
  [
    'host/network-false',
    'hostNetwork written out as false: nobody wrote that at the create',
    { hostNetwork: false },
  ],
  ['host/pid', 'the processes of the host', { hostPID: true }],
  ['host/ipc', 'the IPC of the host', { hostIPC: true }],
  ['host/shared-processes', 'its containers share their processes', { shareProcessNamespace: true }],
  ['volume/host-path', 'a path of the host', volumes({ name: 'host', hostPath: { path: '/', type: '' } })],
  ['volume/secret', 'a Secret', volumes({ name: 'own', secret: { secretName: 'own', defaultMode: 420 } })],
  [
    'volume/projected',
    'a token',
    volumes({
      name: 'token',
      projected: {
        defaultMode: 420,
        sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }],
      },
    }),
  ],
  ['volume/replaced', 'its own volume, on disk', { volumes: [{ name: 'run', emptyDir: {} }] }],
  ['account/other', 'another service account', { serviceAccountName: 'default', serviceAccount: 'default' }],
  ['account/token', 'an API token is mounted', { automountServiceAccountToken: true }],
  [
    'schedule/tolerations',
    'a toleration was added, which an API server lets pass',
    { tolerations: [...(genuine().spec.tolerations as readonly Fields[]), { operator: 'Exists' }] },
  ],
  [
    'schedule/deadline',
    'activeDeadlineSeconds was set, which an API server lets pass',
    { activeDeadlineSeconds: 60 },
  ],
  ['schedule/grace', 'another grace period', { terminationGracePeriodSeconds: 0 }],
  ['schedule/node-selector', 'a node selector', { nodeSelector: { 'kubernetes.io/hostname': 'worker-9' } }],
  ['schedule/affinity', 'an affinity', { affinity: { podAffinity: {} } }],
  ['schedule/scheduler', 'another scheduler', { schedulerName: 'own' }],
  ['schedule/priority', 'another priority', { priority: 1_000_000, priorityClassName: 'own' }],
  ['schedule/restart-policy', 'another restart policy', { restartPolicy: 'Never' }],
  ['schedule/runtime-class', 'another runtime', { runtimeClassName: 'own' }],
  ['name/host-aliases', 'names of its own', { hostAliases: [{ ip: '10.244.3.99', hostnames: ['forkd'] }] }],
  ['name/dns', 'a resolver of its own', { dnsPolicy: 'None', dnsConfig: { nameservers: ['10.244.3.99'] } }],
  ['name/hostname', 'another host name', { hostname: 'forkd', subdomain: 'mitos' }],
  ['name/service-links', 'no service links', { enableServiceLinks: false }],
];

export function specVectors(): HuskVector[] {
  const drifted = changes.map(([id, comment, fields]) =>
    refuse(`spec/${id}`, comment, {
      // A null field is another JSON value than an absent one.
      pod: JSON.parse(JSON.stringify(replaced(genuine(), 'spec', fields))) as unknown,
      rule: 'drift: spec',
      source: sources.drift,
    }),
  );
  const reversed = (fields: Fields) => Object.fromEntries(Object.entries(fields).reverse());
  const pod = genuine();
  const drifting = storedPod('pool-husk-aaaaa', '10.244.3.18');
  return [
    ...drifted,
    refuse('spec/null-field', 'a field written out as null', {
      pod: replaced(pod, 'spec', { affinity: null }),
      rule: 'drift: spec',
      source: sources.drift,
      flags: ['unstorable'],
    }),
    refuse('spec/absent', 'no spec', {
      pod: { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata, status: pod.status },
      rule: 'drift: spec',
      source: sources.drift,
      flags: ['unstorable'],
    }),
    select('spec/node', 'the scheduler bound it to another node: nodeName is in no hash', {
      pod: replaced(pod, 'spec', { nodeName: 'worker-2' }),
      source: sources.drift,
    }),
    select('spec/order', 'the same fields in another order', {
      pod: { ...pod, spec: { ...reversed(pod.spec), containers: [reversed(husk)] } },
      source: sources.drift,
    }),
    select('spec/swapped-back', 'changed and changed back: another generation, the same spec', {
      pod: replaced(pod, 'metadata', { generation: 3, resourceVersion: '81399' }),
      source: sources.drift,
    }),
    select('spec/warm-beside-drifted', 'the first pod drifted, a genuine one is there', {
      pod: replaced(drifting, 'spec', { hostNetwork: true }),
      others: [pod],
      ledger: [recordOfStored(drifting), recordOfStored(pod)],
      selects: pod,
      rule: 'drift: spec',
      source: sources.drift,
    }),
  ];
}
