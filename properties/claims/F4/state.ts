/** F4.state: what a guest could make the pod remember. */
import * as fc from 'fast-check';
import { control, later } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim } from '../attack-claim.ts';

export const claim = attackClaim({
  id: 'F4.state',
  statement: 'The guest never changes pod state: routes, neighbours, PMTU, conntrack of others.',
  source: 'findings.md F4, residual: "RAs install routes in the pod; neighbour-table floods"',
  blindSpot:
    'as far as a ruleset can say: a packet that reaches the ICMP, ARP or neighbour discovery of the pod counts as a change; tables and floods are tier kernel',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  attacks: (scene) => fc.oneof({ weight: 3, arbitrary: control(scene) }, later(scene, ['tap0', 'tap1'])),
  phases: ['standing'],
});
