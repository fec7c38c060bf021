/**
 * Authors, what RBAC grants them, the claims they write, and what an API server's answers may look like.
 */
import * as fc from 'fast-check';
import { type AccessWorld, type Grant, type Identity, scopesKey } from '../models/access-world.ts';
import {
  type ClaimRequest,
  controllerName,
  type Envelope,
  namespace,
  type Spec,
} from '../models/admission-review.ts';
import type { Disturbance } from '../models/admission-run.ts';

export interface AdmissionCase {
  readonly request: ClaimRequest;
  readonly world: AccessWorld;
  readonly disturbance: Disturbance | null;
}

const everyone = 'system:authenticated';

export const alice: Identity = { username: 'alice', uid: 'uid-alice', groups: ['dev', everyone], extra: {} };
export const mallory: Identity = {
  username: 'mallory',
  uid: 'uid-mallory',
  groups: ['editors', everyone],
  extra: {},
};
const bot: Identity = {
  username: 'system:serviceaccount:team-a:bot',
  uid: 'uid-bot',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:team-a', everyone],
  extra: { 'authentication.kubernetes.io/pod-name': ['bot-0'] },
};
const scoped: Identity = { ...alice, extra: { [scopesKey]: ['user:info'] } };
export const controller: Identity = {
  username: controllerName,
  uid: 'uid-controller',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:mitos-system', everyone],
  extra: {},
};
export const collector: Identity = {
  username: 'system:serviceaccount:kube-system:generic-garbage-collector',
  uid: 'uid-gc',
  groups: ['system:serviceaccounts', everyone],
  extra: {},
};

export const tenant = fc.constantFrom(alice, mallory, bot);
/** Also one whose token may less than he may. */
export const scopedTenant = fc.constantFrom(alice, mallory, bot, scoped);

export const principals = ['builder', 'deployer', 'ci.runner'] as const;
export const ownSecrets = ['db', 'api-key', 'tls.cert'] as const;
export const systemSecrets = [
  'mitos-ca',
  'mitos-forkd-tls',
  'claim-2-sandbox-token',
  'sandbox-token-x7k2p',
] as const;

/** Everything there is to be had in two namespaces; UIDs differ. */
export const accounts: AccessWorld['accounts'] = [namespace, 'team-b'].flatMap((where) =>
  principals.map((name) => ({ namespace: where, name, uid: `uid-${name}-of-${where}` })),
);

export function grant(
  to: string,
  verb: 'impersonate' | 'get',
  names: Grant['names'],
  where = namespace,
): Grant {
  const resource = verb === 'get' ? 'secrets' : 'serviceaccounts';
  return { to, namespace: where, verb, resource, names };
}

/** All rights in the namespace: what is denied then is not denied for want of them. */
export function entitled(author: Identity): AccessWorld {
  const to = `user:${author.username}`;
  return { grants: [grant(to, 'impersonate', '*'), grant(to, 'get', '*')], accounts };
}

/** Some rights, by name or by group, for the author or for others. */
export function someRights(author: Identity): fc.Arbitrary<AccessWorld> {
  const to = fc.constantFrom(`user:${author.username}`, 'group:dev', 'group:editors', `group:${everyone}`);
  const where = fc.constantFrom(namespace, namespace, namespace, 'team-b');
  const impersonate = fc
    .tuple(to, fc.oneof(fc.subarray([...principals]), fc.constant('*' as const)), where)
    .map(([who, names, at]) => grant(who, 'impersonate', names, at));
  const get = fc
    .tuple(to, fc.oneof(fc.subarray([...ownSecrets, ...systemSecrets]), fc.constant('*' as const)), where)
    .map(([who, names, at]) => grant(who, 'get', names, at));
  return fc
    .record({
      impersonate: fc.array(impersonate, { maxLength: 2 }),
      get: fc.array(get, { maxLength: 2 }),
    })
    .map((rights) => ({ grants: [...rights.impersonate, ...rights.get], accounts }));
}

export function specOf(serviceAccount: unknown, secrets: readonly string[] = [], more: Spec = {}): Spec {
  return {
    poolRef: 'pool',
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(secrets.length === 0 ? {} : { secrets: secrets.map((name) => ({ name, secretRef: name })) }),
    ...more,
  };
}

/** One field of a spec before and after: everything that a claim has, and a field that it may have one day. */
const changes: readonly (readonly [string, unknown, unknown])[] = [
  ['workspaceRef', 'own', 'of-somebody-else'],
  ['workspaceRef', undefined, 'own'],
  ['poolRef', 'pool', 'pool-2'],
  ['env', [{ name: 'A', value: '1' }], [{ name: 'A', value: '2' }]],
  ['env', undefined, [{ name: 'LD_PRELOAD', value: '/workspace/x.so' }]],
  ['secrets', undefined, [{ name: 'db', secretRef: 'db' }]],
  ['secrets', [{ name: 'db', secretRef: 'db', envVar: 'A' }], [{ name: 'db', secretRef: 'db', envVar: 'B' }]],
  ['timeout', 60, 86_400],
  ['idleTimeout', undefined, 5],
  ['ttlSecondsAfterFinished', 1, 2],
  ['checkpointOnTerminate', undefined, true],
  ['checkpointOnTerminate', true, false],
  ['fieldOfNextYear', 'a', 'b'],
  ['deep', nested('a'), nested('b')],
];

function nested(leaf: string): unknown {
  let value: unknown = leaf;
  for (let depth = 0; depth < 70; depth++) value = [value];
  return value;
}

/** The same spec before and after a change of one to three of its fields. */
export function changedSpec(base: Spec): fc.Arbitrary<{ readonly before: Spec; readonly after: Spec }> {
  return fc
    .uniqueArray(fc.constantFrom(...changes), { minLength: 1, maxLength: 3, selector: ([field]) => field })
    .map((chosen) => {
      const side = (index: 1 | 2) =>
        Object.fromEntries(
          Object.entries({
            ...base,
            ...Object.fromEntries(chosen.map((one) => [one[0], one[index]])),
          }).filter(([, value]) => value !== undefined),
        );
      return { before: side(1), after: side(2) };
    });
}

export const ambiguousStatuses: readonly unknown[] = [
  { allowed: true, denied: true },
  { allowed: true, evaluationError: 'webhook authorizer: connection refused' },
  { allowed: true, denied: false, evaluationError: 'x' },
  { allowed: true, denied: 'true' },
  { allowed: true, denied: 1 },
  { allowed: true, evaluationError: { message: 'x' } },
  { allowed: 'true' },
  { allowed: 1 },
  { allowed: [true] },
  { allowed: null },
  { Allowed: true },
  { status: { allowed: true } },
  {},
  null,
  true,
  'allowed',
  [{ allowed: true }],
  { allowed: false, reason: 'allowed' },
];

export const ambiguous: fc.Arbitrary<Disturbance> = fc
  .constantFrom(...ambiguousStatuses)
  .map((body) => ({ of: 'impersonate', how: 'answered', body }));

export const failing: fc.Arbitrary<Disturbance> = fc.record({
  of: fc.constantFrom('impersonate', 'impersonate', 'account', 'get'),
  how: fc.constantFrom('failed', 'timed-out', 'not-found', 'lost'),
});

/** What no service account is called. */
export const noNames: readonly unknown[] = [
  'system:serviceaccount:other:admin',
  '../*',
  'default\n',
  '*',
  'Builder',
  'builder ',
  ' builder',
  'builder/token',
  'builder.',
  '.builder',
  '-builder',
  'builder-',
  'build..er',
  'bücher',
  'ｂuilder',
  'builder\u0000',
  'builder\u200b',
  '%62uilder',
  'a'.repeat(254),
  7,
  true,
  ['builder'],
  { name: 'builder' },
  { toString: 'builder' },
];

/** Answers to the look-up that name no account of this name here. */
export const noAccounts: readonly Disturbance[] = [
  { of: 'account', how: 'not-found' },
  { of: 'account', how: 'failed' },
  ...[
    null,
    {},
    { metadata: { namespace, name: 'builder' } },
    { metadata: { namespace, name: 'builder', uid: '' } },
    { metadata: { namespace, name: 'builder', uid: 7 } },
    { metadata: { namespace: 'team-b', name: 'builder', uid: 'uid-x' } },
    { metadata: { namespace, name: 'deployer', uid: 'uid-x' } },
    { metadata: { namespace, name: 'builder', uid: 'uid-x', deletionTimestamp: '2026-11-24T00:00:00Z' } },
  ].map((body): Disturbance => ({ of: 'account', how: 'answered', body })),
];

const group = 'mitos.run';
const version = 'v1alpha1';

/** Reviews that no API server should send here, each with what is wrong. */
export const foreignEnvelopes: readonly Envelope[] = [
  { says: 'of admission.k8s.io/v1beta1', review: { apiVersion: 'admission.k8s.io/v1beta1' } },
  { says: 'without apiVersion', review: { apiVersion: undefined } },
  { says: 'of another kind of review', review: { kind: 'ConversionReview' } },
  { says: 'without uid', request: { uid: undefined } },
  { says: 'with an empty uid', request: { uid: '' } },
  { says: 'of another kind', request: { kind: { group, version, kind: 'SandboxFork' } } },
  { says: 'of another group', request: { kind: { group: 'example.com', version, kind: 'SandboxClaim' } } },
  { says: 'of another version', request: { kind: { group, version: 'v1beta1', kind: 'SandboxClaim' } } },
  { says: 'of another resource', request: { resource: { group, version, resource: 'sandboxforks' } } },
  {
    says: 'of another version of the resource',
    request: { resource: { group, version: 'v2', resource: 'sandboxclaims' } },
  },
  { says: 'converted from another kind', request: { requestKind: { group, version, kind: 'Pod' } } },
  { says: 'without a kind', request: { kind: null } },
  { says: 'without a request', review: { request: undefined } },
];

export const foreignEnvelope = fc.constantFrom(...foreignEnvelopes);
