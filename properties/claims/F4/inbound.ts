/** F4.inbound: what reaches a guest. */
import * as fc from 'fast-check';
import { inward, later } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim } from '../attack-claim.ts';

export const claim = attackClaim({
  id: 'F4.inbound',
  statement: 'Only replies (or explicit policy) reach the guest; tap never talks to tap.',
  source: 'findings.md F4, residual: "neighbours on the uplink reach the guest; tap → tap crosses"',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  attacks: (scene) => fc.oneof({ weight: 3, arbitrary: inward(scene) }, later(scene, [null, 'eth0'])),
  phases: ['standing', 'changed'],
});
