/** Claims, husks and records for the tests beside it: one claim, as the controller reads it. */
import type { HuskRecord } from '#reference/contract/husk.ts';
import { podSpecHash } from '../select-husk/pod-view.ts';
import type { ClaimConfig, ClaimEvent, ClaimMemory } from './claim-events.ts';
import { memoryAtStart, stepClaim } from './claim-step.ts';

export const namespace = 'team-a';
export const pool = { namespace, name: 'pool', uid: 'uid-pool' };
export const config: ClaimConfig = {
  identity: 'controller-1',
  controllerNamespace: 'mitos-system',
  writeDeadlineMs: 5_000,
  callDeadlineMs: 10_000,
  claimDeadlineMs: 60_000,
  maxAttempts: 3,
  retryAfterMs: 1_000,
  systemSecrets: ['mitos-ca'],
};
export const createdAt = '2026-11-24T00:00:00Z';
export const nowMs = Date.parse(createdAt) + 1_000;

export function husk(number: number, labels: object = {}) {
  return {
    metadata: {
      namespace,
      name: `husk-${number}`,
      uid: `uid-husk-${number}`,
      resourceVersion: `${100 + number}`,
      labels: { 'mitos.run/husk': 'true', 'mitos.run/pool': 'pool', ...labels },
      ownerReferences: [
        {
          apiVersion: 'mitos.run/v1alpha1',
          kind: 'SandboxPool',
          name: 'pool',
          uid: 'uid-pool',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { containers: [{ name: 'husk', image: `husk@sha256:${number}` }] },
    status: {
      phase: 'Running',
      podIP: `10.0.0.${number}`,
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'husk', restartCount: 0 }],
    },
  };
}

export function recordOf(number: number, holder: string | null = null): HuskRecord {
  const { metadata, spec } = husk(number);
  return {
    pod: { namespace, name: metadata.name, uid: metadata.uid },
    pool,
    specHash: podSpecHash(spec) ?? '',
    holder,
    resourceVersion: `${200 + number}`,
  };
}

export const claimOf = (status: object = {}, metadata: object = {}, spec: object = {}) => ({
  metadata: {
    namespace,
    name: 'claim',
    uid: 'uid-claim',
    resourceVersion: '7',
    creationTimestamp: createdAt,
    finalizers: ['mitos.run/husk'],
    ...metadata,
  },
  spec: { poolRef: 'pool', ...spec },
  status,
});

export const mine = { 'mitos.run/claim': 'uid-claim' };
export const restoring = (by = config.identity, attempt = 1) => ({
  phase: 'Restoring',
  attempts: attempt,
  token: { name: 'sandbox-token-1', uid: 'uid-token' },
  husk: { pod: recordOf(1).pod, attempt, by },
});
export const attempt = (more: Partial<NonNullable<ClaimMemory['attempt']>> = {}): ClaimMemory => ({
  ...memoryAtStart,
  attempt: {
    holder: 'uid-claim',
    podUid: 'uid-husk-1',
    number: 1,
    fresh: true,
    progress: 'intended',
    ...more,
  },
});

export function step(
  event: Partial<ClaimEvent>,
  memory: ClaimMemory = memoryAtStart,
  more: Partial<ClaimConfig> = {},
) {
  return stepClaim({ ...config, ...more }, memory, {
    nowMs,
    leading: true,
    owner: { kind: 'SandboxClaim', namespace, name: 'claim', uid: 'uid-claim' },
    object: claimOf(),
    live: false,
    authorized: null,
    source: null,
    pool,
    ledger: [recordOf(1)],
    pods: [husk(1)],
    last: null,
    ...event,
  });
}

export const held = { ledger: [recordOf(1, 'uid-claim')], pods: [husk(1, mine)] };
