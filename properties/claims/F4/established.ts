/** F4.established: a flow is one whose first packet was let through. */
import { later } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim, example } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';

export const claim = attackClaim({
  id: 'F4.established',
  statement: 'Established traffic belongs to a flow whose first packet was allowed.',
  source:
    'findings.md F4, reference, invariant 4; residual: "forged DNS replies reach the resolver’s upstream socket"',
  blindSpot: 'conntrack’s own judgement of sequence numbers and timeouts is tier kernel',
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  attacks: (scene) => later(scene, [null, null, 'tap0', 'tap1', 'eth0']),
  examples: [
    example({
      kind: 'later',
      flow: { by: 'pod', protocol: 'udp', destination: '8.8.8.8', port: 53 },
      direction: 'reply',
      error: null,
      port: 'tap0',
    }),
  ],
  phases: ['standing', 'changed'],
});
