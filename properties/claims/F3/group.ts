/** F3.group: an owner is a group, a kind, a name and a UID. */
import * as fc from 'fast-check';
import { owners, sceneCase } from '../../arbitraries/husk-scenes.ts';
import { type OwnerReference, poolReference } from '../../models/husk-pod.ts';
import { defineClaim } from '../claim.ts';
import { sceneClaim } from '../husk-claim.ts';

const withOwner = (says: string, fields: Partial<OwnerReference>) =>
  owners.of(says, [{ ...poolReference, ...fields }]);

const attacks = [
  withOwner('a SandboxPool of another API group', { apiVersion: 'attacker.example/v1alpha1' }),
  withOwner('a SandboxPool of the core group', { apiVersion: 'v1' }),
  withOwner('a group that only begins like it', { apiVersion: 'mitos.run.attacker.example/v1' }),
  withOwner('a group that only ends like it', { apiVersion: 'x.mitos.run/v1alpha1' }),
  withOwner('the group without a version', { apiVersion: 'mitos.run' }),
  withOwner('another kind', { kind: 'SandboxTemplate' }),
  withOwner('another kind by case', { kind: 'sandboxpool' }),
  withOwner('another pool by name', { name: 'pool-2' }),
  withOwner('the UID of a pool that was there before', { uid: 'uid-pool-before' }),
  withOwner('an empty UID', { uid: '' }),
  owners.of('two controller references, the pool first', [
    poolReference,
    { ...poolReference, kind: 'Job', apiVersion: 'batch/v1', name: 'own', uid: 'uid-own' },
  ]),
  owners.of('two controller references, the pool last', [
    { ...poolReference, apiVersion: 'batch/v1', kind: 'Job', name: 'own', uid: 'uid-own' },
    poolReference,
  ]),
];

export const claim = defineClaim(
  sceneClaim(
    {
      id: 'F3.group',
      statement: 'An owner of another API group, kind, name or UID is never accepted.',
      source: 'findings.md F3 Residual: "The group of the owner is not compared"; Reference (3)',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    sceneCase(attacks, fc.boolean()),
    'findings.md F3: group, kind, name and owner UID, exactly one controller reference',
    ['owner/group-', 'owner/kind-', 'owner/name-', 'owner/uid-', 'owner/two-', 'owner/the-pool-twice'],
  ),
);
