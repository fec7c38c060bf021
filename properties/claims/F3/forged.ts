/** F3.forged: the admission plugin is no provenance, with or without it a reference proves nothing. */
import * as fc from 'fast-check';
import { owners, sceneCase } from '../../arbitraries/husk-scenes.ts';
import { poolReference } from '../../models/husk-pod.ts';
import { defineClaim } from '../claim.ts';
import { sceneClaim } from '../husk-claim.ts';

const own = {
  ...poolReference,
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: 'own',
  controller: false,
};

const attacks = [
  owners.of('a perfect reference to the pool (plugin off, or finalizers granted)', [poolReference]),
  owners.of('a UID swap: created under an own owner with the UID of the pool, then patched', [poolReference]),
  owners.of('a perfect reference beside one of its own with the same UID', [poolReference, own]),
];

export const claim = defineClaim(
  sceneClaim(
    {
      id: 'F3.forged',
      statement: 'A decoy with a perfectly forged reference is never selected, admission plugin on or off.',
      source:
        'findings.md F3 Residual; kubernetes.md: OwnerReferencesPermissionEnforcement is not provenance',
      blindSpot: 'which forgeries an API server stores is judged at its own tier',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    sceneCase(attacks, fc.constant(false)),
    'findings.md F3: only pods that the controller created itself, by UID',
    [
      'planted/perfect',
      'planted/uid-',
      'planted/two-',
      'planted/many-',
      'planted/copied-',
      'planted/finalizer',
      'planted/another-',
    ],
  ),
);
