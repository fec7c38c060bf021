/** F3.decoy: labels make no husk. */
import * as fc from 'fast-check';
import { owners, sceneCase } from '../../arbitraries/husk-scenes.ts';
import { poolReference } from '../../models/husk-pod.ts';
import { defineClaim } from '../claim.ts';
import { sceneClaim } from '../husk-claim.ts';

const { controller: _controller, ...withoutController } = poolReference;
const job = { ...poolReference, apiVersion: 'batch/v1', kind: 'Job', name: 'own', uid: 'uid-own' };

const attacks = [
  owners.of('no owner reference', []),
  owners.of('the pool is an owner, no controller', [withoutController]),
  owners.of('the pool is an owner, controller false', [{ ...poolReference, controller: false }]),
  owners.of('its controller is a Job of the tenant', [job]),
  owners.of('blockOwnerDeletion is false', [{ ...poolReference, blockOwnerDeletion: false }]),
];

export const claim = defineClaim(
  sceneClaim(
    {
      id: 'F3.decoy',
      statement:
        'A pod with husk labels and no controller reference is never selected, even when its name sorts first.',
      source: 'findings.md F3 Vulnerable: "any Running, Ready pod with the husk labels"',
      expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
    },
    sceneCase(attacks, fc.boolean()),
    'findings.md F3: the controller reference is required',
    [
      'planted/labels-alone',
      'owner/none',
      'owner/absent',
      'owner/controller-',
      'owner/only-',
      'owner/job',
      'owner/block-',
    ],
  ),
);
