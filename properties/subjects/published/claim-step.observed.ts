/** What was observed of the published claim handling beyond selection: marks, deliveries, tokens, ends. */
import { genuinePod, pool } from '../../models/husk-pod.ts';
import type { claimStep } from '../../protocol/claim-step.ts';
import type { InputOf } from '../../protocol/decision.ts';
import type { Observed } from '../observed.ts';

type Event = InputOf<typeof claimStep>['event'];

const { namespace } = pool;
const husk = genuinePod('pool-husk-1', 'uid-husk-1', '10.0.0.1');
const target = { kind: 'Pod', namespace, name: 'pool-husk-1' };

const config = {
  identity: 'controller-1',
  controllerNamespace: 'mitos-system',
  writeDeadlineMs: 5_000,
  callDeadlineMs: 10_000,
  claimDeadlineMs: 60_000,
  maxAttempts: 5,
  retryAfterMs: 1_000,
  systemSecrets: ['mitos-ca', 'mitos-forkd-tls'],
};

function claimWith(metadata: object = {}, status: object = {}): object {
  return {
    metadata: {
      namespace,
      name: 'claim',
      uid: 'uid-claim',
      resourceVersion: '7',
      finalizers: ['mitos.run/husk'],
      ...metadata,
    },
    spec: { poolRef: pool.name, secrets: [{ name: 'tls', secretRef: 'mitos-forkd-tls' }] },
    status,
  };
}

function event(more: Partial<Event> = {}): Event {
  return {
    nowMs: 1_795_000_000_000,
    leading: true,
    owner: { kind: 'SandboxClaim', namespace, name: 'claim', uid: 'uid-claim' },
    object: claimWith(),
    live: false,
    authorized: null,
    source: null,
    pool,
    ledger: [],
    pods: [husk],
    last: null,
    ...more,
  };
}

/** Its memory once the husk was marked and the token made. */
const marked = {
  pod: { namespace, name: 'pool-husk-1', uid: 'uid-husk-1', resourceVersion: '100', address: '10.0.0.1' },
  marked: true,
  token: { name: 'claim-sandbox-token', uid: 'uid-token' },
  delivered: false,
  children: 0,
};

function row(says: string, input: InputOf<typeof claimStep>, action: object): Observed<typeof claimStep> {
  return { says, config, input, output: { actions: [action as never] } };
}

const refused = { of: 'deliver', podUid: 'uid-husk-1', result: 'refused', digest: null } as const;

export const observed: readonly Observed<typeof claimStep>[] = [
  row(
    'The pod is marked by an optimistic-lock label patch with the claim’s name',
    { state: null, event: event() },
    {
      kind: 'patch',
      target,
      precondition: { resourceVersion: '100' },
      patch: { metadata: { labels: { 'mitos.run/claim': 'claim' } } },
    },
  ),
  row(
    'peer verified against the CA and SAN (nothing specific to the pod), then secrets and token, with no deadline anywhere',
    { state: marked, event: event() },
    { kind: 'deliver', address: '10.0.0.1', identity: null, deadlineMs: null },
  ),
  row(
    'a claim author without any right on Secrets names mitos-forkd-tls, and the controller delivers it',
    { state: marked, event: event({ authorized: [] }) },
    { kind: 'deliver', secrets: ['mitos-forkd-tls'] },
  ),
  row(
    'kill -9 between mark and status: a second pod, secrets delivered twice',
    {
      state: null,
      event: event({
        pods: [
          {
            ...husk,
            metadata: { ...husk.metadata, labels: { ...husk.metadata.labels, 'mitos.run/claim': 'claim' } },
          },
          genuinePod('pool-husk-2', 'uid-husk-2', '10.0.0.2'),
        ],
      }),
    },
    { kind: 'patch', target: { ...target, name: 'pool-husk-2' } },
  ),
  row(
    'a peer that refuses gets the secrets again at once: a status write retriggers the watch',
    { state: marked, event: event({ last: refused }) },
    { kind: 'patch', purpose: 'retry', subresource: 'status' },
  ),
  row(
    'a deposed leader goes on',
    { state: marked, event: event({ leading: false }) },
    { kind: 'deliver', address: '10.0.0.1' },
  ),
  row(
    'a tenant’s immutable <claim>-sandbox-token fails the victim’s claim for good',
    {
      state: { ...marked, token: null },
      event: event({ last: { of: 'write', purpose: 'token', result: 'invalid', uid: null, created: null } }),
    },
    { kind: 'patch', subresource: 'status', patch: { status: { phase: 'Failed' } } },
  ),
  row(
    'deleting a claim deletes any pod labelled with its name',
    {
      state: null,
      event: event({
        object: claimWith({ deletionTimestamp: '2026-11-24T00:00:00Z' }),
        pods: [{ kind: 'Pod', metadata: { namespace, name: 'web', labels: { 'mitos.run/claim': 'claim' } } }],
      }),
    },
    { kind: 'delete', target: { ...target, name: 'web' }, precondition: {} },
  ),
  row(
    'fork children are fetched by predictable name only: a bare pod <fork>-fork-0, no labels, no owner, got a token',
    {
      state: { ...marked, pod: null, marked: false },
      event: event({
        owner: { kind: 'SandboxFork', namespace, name: 'f', uid: 'uid-claim' },
        pods: [genuinePod('f-fork-0', 'uid-bare', '10.0.0.9')].map(({ metadata, ...rest }) => ({
          ...rest,
          metadata: { ...metadata, labels: {}, ownerReferences: [] },
        })),
      }),
    },
    { kind: 'deliver', pod: { namespace, name: 'f-fork-0', uid: 'uid-bare' } },
  ),
];
