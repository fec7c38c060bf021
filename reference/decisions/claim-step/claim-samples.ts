/** What the rules of claims begin with: a claim, its husks and records, and one step with all of it. */
import { expect } from 'vitest';
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

export const podOwner = {
  apiVersion: 'mitos.run/v1alpha1',
  kind: 'SandboxPool',
  name: 'pool',
  uid: 'uid-pool',
  controller: true,
  blockOwnerDeletion: true,
};

export const nameOf = (number: number) => ({ namespace, name: `husk-${number}`, uid: `uid-husk-${number}` });

export const husk = (number: number, holder?: string, status: object = {}) => ({
  metadata: {
    ...nameOf(number),
    resourceVersion: `${100 + number}`,
    labels: {
      'mitos.run/husk': 'true',
      'mitos.run/pool': 'pool',
      ...(holder === undefined ? {} : { 'mitos.run/claim': holder }),
    },
    ownerReferences: [podOwner],
  },
  spec: { containers: [{ name: 'husk', image: `husk@sha256:${number}` }] },
  status: {
    phase: 'Running',
    podIP: `10.0.0.${number}`,
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'husk', restartCount: 0 }],
    ...status,
  },
});

export const recordOf = (number: number, holder: string | null = null): HuskRecord => ({
  pod: nameOf(number),
  pool,
  specHash: podSpecHash(husk(number).spec) ?? '',
  holder,
  resourceVersion: `${200 + number}`,
});

export const me = 'uid-claim';

export const claimOf = (status: object = {}, metadata: object = {}, spec: object = {}) => ({
  metadata: {
    namespace,
    name: 'claim',
    uid: me,
    resourceVersion: '7',
    creationTimestamp: createdAt,
    finalizers: ['mitos.run/husk'],
    ...metadata,
  },
  spec: { poolRef: 'pool', ...spec },
  status,
});

export const token = { name: 'sandbox-token-1', uid: 'uid-token' };

export const restoring = (by = config.identity, attempt = 1, attempts = attempt) => ({
  phase: 'Restoring',
  attempts,
  token,
  husk: { pod: nameOf(1), attempt, by },
});

export const intended: NonNullable<ClaimMemory['attempt']> = {
  holder: me,
  podUid: 'uid-husk-1',
  number: 1,
  fresh: true,
  progress: 'intended',
};

export const during = (more: Partial<typeof intended> = {}): ClaimMemory => ({
  ...memoryAtStart,
  attempt: { ...intended, ...more },
});

export const held = { ledger: [recordOf(1, me)], pods: [husk(1, me)] };

export function step(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  return stepClaim(config, memory, {
    nowMs,
    leading: true,
    owner: { kind: 'SandboxClaim', namespace, name: 'claim', uid: me },
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

/** The one action and its rule. */
export function said(event: Partial<ClaimEvent>, memory: ClaimMemory = memoryAtStart) {
  const { actions, rule } = step(event, memory);
  expect(actions.length).toBeLessThan(2);
  return { action: actions[0] ?? null, rule };
}

export const claimTarget = { kind: 'SandboxClaim', namespace, name: 'claim' };

export const patch = (
  purpose: string,
  target: object,
  subresource: string | null,
  precondition: object,
  body: object,
) => ({
  kind: 'patch',
  purpose,
  target,
  subresource,
  precondition,
  patch: body,
  deadlineMs: 5_000,
});

export const status = (purpose: string, fields: object) =>
  patch(purpose, claimTarget, 'status', { resourceVersion: '7' }, { status: fields });

export const failing = (rule: string) => ({
  action: status('fail', { phase: 'Failed', reason: rule }),
  rule,
});

export const reading = (rule: string) => ({ action: { kind: 'read', deadlineMs: 5_000 }, rule });

export const nothing = (rule: string) => ({ action: null, rule });

export const deletePod = (number: number, rule: string) => ({
  action: {
    kind: 'delete',
    purpose: 'delete-pod',
    target: { kind: 'Pod', namespace, name: `husk-${number}` },
    precondition: { uid: `uid-husk-${number}` },
    deadlineMs: 5_000,
  },
  rule,
});

export const reach = {
  pod: nameOf(1),
  address: '10.0.0.1',
  identity: { namespace, podUid: 'uid-husk-1' },
  holder: me,
};
