/** Claims that name Secrets. */
import {
  accounts,
  controller,
  grant,
  specOf,
  systemSecrets,
} from '../../../arbitraries/admission-requests.ts';
import type { AccessWorld } from '../../../models/access-world.ts';
import type { ClaimObject } from '../../../models/admission-review.ts';
import { type AdmissionVector, allow, builder, deny, named, nobody } from './admission-vector.ts';

export function secrets(): AdmissionVector[] {
  const source = 'findings.md F3: the confused deputy';
  const env = (valueFrom: unknown): ClaimObject => ({
    spec: specOf(undefined, [], {
      env: [
        { name: 'A', value: '1' },
        { name: 'B', valueFrom },
      ],
    }),
  });
  const reads = (...names: readonly string[]): AccessWorld => ({
    grants: [grant('user:alice', 'get', names)],
    accounts,
  });
  const unreadable: readonly (readonly [string, ClaimObject['spec']])[] = [
    ['no list', { poolRef: 'pool', secrets: { db: 'db' } }],
    ['no name', { poolRef: 'pool', secrets: [{ name: 'db' }] }],
    ['a number', { poolRef: 'pool', secrets: [{ name: 'db', secretRef: 7 }] }],
    ['a path', { poolRef: 'pool', secrets: [{ name: 'db', secretRef: 'team-b/db' }] }],
    ['an entry that is null', { poolRef: 'pool', secrets: [null] }],
    ['env that is text', { poolRef: 'pool', env: 'DB' }],
  ];
  return [
    allow('secret/readable', 'the author may get it', {
      object: { spec: specOf(undefined, ['db']) },
      world: reads('db'),
      asks: ['get db'],
      source,
    }),
    allow('secret/twice', 'named three times, asked about once', {
      object: {
        spec: specOf(undefined, ['db', 'db'], {
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'db', key: 'k' } } }],
        }),
      },
      asks: ['get db'],
      source,
    }),
    allow('secret/most', 'as many as may be asked about', {
      object: { spec: specOf('builder', ['d', 'c', 'b', 'a']) },
      asks: [...builder, 'get a', 'get b', 'get c', 'get d'],
      source,
    }),
    deny('secret/one-too-many', 'more than may be asked about', {
      object: { spec: specOf('builder', ['a', 'b', 'c', 'd', 'e']) },
      source,
    }),
    deny('secret/unreadable-by-author', 'the author may not get it', {
      object: { spec: specOf(undefined, ['db']) },
      world: reads('api-key'),
      asks: ['get db'],
      source,
    }),
    deny('secret/second-unreadable', 'the author may get one of two', {
      object: { spec: specOf('builder', ['db', 'api-key']) },
      world: { grants: [grant('user:alice', 'impersonate', '*'), ...reads('api-key').grants], accounts },
      asks: [...builder, 'get api-key', 'get db'],
      source,
    }),
    deny('secret/by-env', 'a variable takes its value from a Secret that the author may not get', {
      object: env({ secretKeyRef: { name: 'db', key: 'k' } }),
      world: nobody,
      asks: ['get db'],
      source,
    }),
    deny('secret/env-of-two-sources', 'a source that nobody was asked about', {
      object: env({ secretKeyRef: { name: 'db', key: 'k' }, vaultRef: { name: 'x' } }),
      source,
    }),
    ...systemSecrets.map((name) =>
      deny(`secret/of-the-system-${name}`, 'given to nobody, whoever asks', {
        object: { spec: specOf(undefined, ['db', name]) },
        source,
      }),
    ),
    deny('secret/of-the-system-to-the-controller', 'not even to the controller', {
      author: controller,
      object: { spec: specOf(undefined, ['mitos-ca']) },
      source,
    }),
    ...unreadable.map(([says, spec]) =>
      deny(`secret/${named(says)}`, `the list of Secrets is unreadable: ${says}`, {
        object: { spec },
        source,
      }),
    ),
  ];
}
