/** Claims that are created: principals, names, accounts, and what the API server answers. */
import {
  accounts,
  alice,
  ambiguousStatuses,
  grant,
  mallory,
  noAccounts,
  noNames,
  specOf,
} from '../../../arbitraries/admission-requests.ts';
import { type AccessWorld, type Identity, scopesKey } from '../../../models/access-world.ts';
import type { ClaimObject } from '../../../models/admission-review.ts';
import { type AdmissionVector, allow, builder, deny, named, nobody, type Part } from './admission-vector.ts';

export function creations(): AdmissionVector[] {
  const byGroup: AccessWorld = { grants: [grant('group:dev', 'impersonate', ['builder'])], accounts };
  const byName: AccessWorld = { grants: [grant('user:alice', 'impersonate', ['builder'])], accounts };
  const object = (spec: ClaimObject['spec']): Part => ({ object: { spec } });
  const full: Identity = { ...alice, extra: { [scopesKey]: ['user:full'] } };
  const info: Identity = { ...alice, extra: { [scopesKey]: ['user:info'] } };
  return [
    allow('create/by-name', 'the right by resource name', { world: byName, asks: builder }),
    allow('create/by-group', 'the right by a group of the author', { world: byGroup, asks: builder }),
    allow('create/full-scope', 'a token of full scope', { author: full, asks: builder }),
    allow('create/dry-run', 'a dry run is reviewed like any request', { dryRun: true, asks: builder }),
    allow('create/dotted', 'a subdomain is a name of a service account', {
      ...object(specOf('ci.runner')),
      asks: ['impersonate ci.runner', 'account ci.runner'],
    }),
    ...[undefined, null, ''].map((none) =>
      allow(
        `create/no-principal-${String(none) || 'empty'}`,
        `serviceAccount is ${JSON.stringify(none) ?? 'absent'}`,
        {
          ...object(none === undefined ? specOf(undefined) : { poolRef: 'pool', serviceAccount: none }),
          world: nobody,
        },
      ),
    ),
    allow('create/converted', 'sent as v1beta1, converted by the API server (matchPolicy Equivalent)', {
      envelope: {
        says: 'converted',
        request: { requestKind: { group: 'mitos.run', version: 'v1beta1', kind: 'SandboxClaim' } },
      },
      asks: builder,
    }),
    allow('create/namespace-absent', 'the object leaves its namespace to the request', {
      object: { spec: specOf('builder'), namespace: null },
      asks: builder,
    }),
    deny('create/no-right', 'nobody was granted anything', { world: nobody, asks: builder }),
    deny('create/other-name', 'the right on another service account', {
      ...object(specOf('deployer')),
      world: byName,
      asks: ['impersonate deployer', 'account deployer'],
    }),
    deny('create/other-user', 'the right of somebody else', {
      author: mallory,
      world: byName,
      asks: builder,
    }),
    deny('create/other-namespace', 'the right in another namespace', {
      world: { grants: [grant('user:alice', 'impersonate', '*', 'team-b')], accounts },
      asks: builder,
    }),
    deny('create/object-of-another-namespace', 'the object names another namespace than the request', {
      object: { spec: specOf('builder'), namespace: 'team-b' },
    }),
    deny('create/small-scope', 'a token of a scope that does not hold the right', {
      author: info,
      asks: builder,
    }),
    deny('create/dry-run-no-right', 'a dry run without the right', {
      world: nobody,
      dryRun: true,
      asks: builder,
    }),
    deny('create/generated-name', 'a stamp needs a name, and a generated one is unknown at admission', {
      envelope: {
        says: 'generateName',
        request: {
          name: '',
          object: {
            apiVersion: 'mitos.run/v1alpha1',
            kind: 'SandboxClaim',
            metadata: { generateName: 'claim-', namespace: 'team-a' },
            spec: specOf('builder'),
          },
        },
      },
    }),
    ...noNames.map((name, index) =>
      deny(
        `name/${index}-${named(JSON.stringify(name)).slice(0, 32)}`,
        'not a DNS-1123 name',
        object(specOf(name)),
      ),
    ),
    ...noAccounts.map((disturbance, index) =>
      deny(
        `account/${index}`,
        `the look-up: ${disturbance.how} ${JSON.stringify(disturbance.body) ?? ''}`.trim(),
        {
          disturbance,
          asks: builder,
          rule: 'no such service account',
        },
      ),
    ),
  ];
}

export function answers(): AdmissionVector[] {
  const plain = [{ allowed: true }, { allowed: true, denied: false, evaluationError: '', reason: 'x' }];
  const failures = ['failed', 'timed-out', 'not-found', 'hangs', 'lost'] as const;
  return [
    ...plain.map((body, index) =>
      allow(`answer/plain-${index}`, `the status ${JSON.stringify(body)}`, {
        disturbance: { of: 'impersonate', how: 'answered', body },
        asks: builder,
      }),
    ),
    ...ambiguousStatuses.map((body, index) =>
      deny(`answer/ambiguous-${index}`, `the status ${JSON.stringify(body)}`, {
        disturbance: { of: 'impersonate', how: 'answered', body },
        asks: builder,
        rule: 'only an unambiguous allowed allows',
      }),
    ),
    ...failures.map((how) =>
      deny(`answer/${how}`, `the review: ${how}`, {
        disturbance: { of: 'impersonate', how },
        asks: builder,
        rule: 'fails closed, within its deadline',
      }),
    ),
    deny('answer/secret-times-out', 'one Secret of two is not answered', {
      object: { spec: specOf(undefined, ['api-key', 'db']) },
      disturbance: { of: 'get', how: 'timed-out' },
      asks: ['get api-key', 'get db'],
    }),
  ];
}
