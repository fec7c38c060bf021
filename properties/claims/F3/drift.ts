/** F3.drift: a pod whose image, network or containers changed is another pod. */
import * as fc from 'fast-check';
import { attackOn, sceneCase } from '../../arbitraries/husk-scenes.ts';
import { defineClaim } from '../claim.ts';
import { sceneClaim } from '../husk-claim.ts';

const debug = { name: 'debug', image: 'attacker/shell' };

const attacks = [
  attackOn.spec('its image was swapped', ({ spec }) => ({
    containers: spec.containers.map((one) => ({ ...one, image: 'attacker/husk' })),
  })),
  attackOn.spec('it is on the network of the host', () => ({ hostNetwork: true })),
  attackOn.spec('it has an ephemeral container', () => ({ ephemeralContainers: [debug] })),
  attackOn.spec('it has another container', ({ spec }) => ({ containers: [...spec.containers, debug] })),
  attackOn.spec('its init container was swapped', () => ({ initContainers: [debug] })),
  attackOn.spec('it may use another service account', () => ({ serviceAccountName: 'default' })),
  attackOn.spec('its limits were changed in place', ({ spec }) => ({
    containers: spec.containers.map((one) => ({ ...one, resources: { limits: { cpu: '64' } } })),
  })),
  attackOn.status('an ephemeral container runs in it', () => ({
    ephemeralContainerStatuses: [{ name: 'debug' }],
  })),
  attackOn.status('its container was restarted', ({ status }) => ({
    containerStatuses: status.containerStatuses.map((one) => ({ ...one, restartCount: 1 })),
  })),
  attackOn.status('nobody reports its container', () => ({ containerStatuses: [] })),
  attackOn.status('another container is reported instead', () => ({
    containerStatuses: [{ name: 'debug', restartCount: 0 }],
  })),
  attackOn.status('it is Ready and not Ready at once', ({ status }) => ({
    conditions: [...status.conditions, { type: 'Ready', status: 'False' }],
  })),
];

export const claim = defineClaim(
  sceneClaim(
    {
      id: 'F3.drift',
      statement:
        'A genuine pod whose image, network or containers changed since its creation is never selected.',
      source:
        'findings.md F3 Residual: "the stock edit role swaps the image of a genuine husk pod (the UID stays)"',
      blindSpot: 'exec leaves no trace in the object: the policy denies it (F3.policy)',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    sceneCase(attacks, fc.constant(true)),
    'findings.md F3: UID and spec hash noted at the controller’s own create',
    ['spec/', 'container/', 'ready/'],
  ),
);
