/** F3.address: what is dialled is an address that a pod can have, and that no other pod has. */
import * as fc from 'fast-check';
import { type Attack, attackOn, sceneCase } from '../../arbitraries/husk-scenes.ts';
import { defineClaim } from '../claim.ts';
import { sceneClaim } from '../husk-claim.ts';

const impossible: readonly (readonly [string, string])[] = [
  ['127.0.0.1', 'loopback'],
  ['127.8.8.8', 'loopback'],
  ['::1', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['224.0.0.1', 'multicast'],
  ['ff02::1', 'multicast'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'this network'],
  ['::', 'unspecified'],
  ['255.255.255.255', 'broadcast'],
  ['::ffff:10.0.0.9', 'IPv4-mapped'],
  ['::10.0.0.9', 'IPv4-compatible'],
];

const at = (says: string, ip: string): Attack =>
  attackOn.status(says, () => ({ podIP: ip, podIPs: [{ ip }] }));

const attacks = [
  ...impossible.map(([ip, says]) => at(`its address is ${ip} (${says})`, ip)),
  attackOn.status('its second address is loopback', ({ status }) => ({
    podIPs: [...(status.podIPs ?? []), { ip: '::1' }],
  })),
  at('its address is that of another pod', '10.0.9.9'),
  attackOn.status('its address is that of another pod in another notation', () => ({
    podIP: 'fd00:0:0:0::a',
    podIPs: [{ ip: 'fd00::a' }],
  })),
  attackOn.status('its address is that of its node', ({ status }) => ({
    hostIP: status.podIP ?? '',
    hostIPs: status.podIPs ?? [],
  })),
  attackOn.status('its second address is that of its node, in another notation', ({ status }) => ({
    hostIPs: [{ ip: 'fd00:7:0::b' }],
    podIPs: [...(status.podIPs ?? []), { ip: 'fd00:7::b' }],
  })),
  at('its address is text', 'attacker.example'),
  at('its address has a leading zero', '10.0.0.012'),
];

const inhabited = ['10.0.9.9', 'fd00::A'];

export const claim = defineClaim(
  sceneClaim(
    {
      id: 'F3.address',
      statement:
        'A pod whose address is loopback, link-local, multicast, unspecified, mapped or another pod’s is never dialled.',
      source: 'findings.md F3 Residual: "PodIP is whatever the pod reports"; Reference (3)',
      blindSpot: 'that the peer at the address is the pod is F3.identity',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    sceneCase(attacks, fc.constant(true), inhabited),
    'findings.md F3: an address that can be a pod’s, shared by no other pod',
    ['address/'],
  ),
);
