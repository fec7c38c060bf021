/** F4.state: what a guest could make the pod remember. */
import * as fc from 'fast-check';
import { control, honestLink, later } from '../../arbitraries/datapath-attacks.ts';
import { type Scene, scenes } from '../../arbitraries/sandbox-scenes.ts';
import { type AttackCase, attackClaim, example } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';

const link = honestLink(scenes[0] as Scene, 0);
const advertisement: AttackCase = example({
  kind: 'first',
  state: 'new',
  packet: {
    port: 'tap0',
    link: { ...link, to: [0x33, 0x33, 0, 0, 0, 1] },
    content: {
      kind: 'ip',
      source: 'fe80::2',
      destination: 'ff02::1',
      hops: 255,
      body: { kind: 'nd', type: 134, target: 'fe80::2', mac: link.from },
    },
  },
});

export const claim = attackClaim({
  id: 'F4.state',
  statement: 'The guest never changes pod state: routes, neighbours, PMTU, conntrack of others.',
  source: 'findings.md F4, residual: "RAs install routes in the pod; neighbour-table floods"',
  blindSpot:
    'as far as a ruleset can say: a packet that reaches the ICMP, ARP or neighbour discovery of the pod counts as a change; tables and floods are tier kernel',
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  attacks: (scene) => fc.oneof({ weight: 3, arbitrary: control(scene) }, later(scene, ['tap0', 'tap1'])),
  examples: [advertisement],
  phases: ['standing'],
});
