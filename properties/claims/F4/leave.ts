/** F4.leave: where a guest's packets go. */
import { outward } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim } from '../attack-claim.ts';

export const claim = attackClaim({
  id: 'F4.leave',
  statement:
    'Nothing leaves except to an allowed (protocol, address, port); never with a guest source; never metadata.',
  source:
    'findings.md F4, residual: "the same hole on the forward hook lets spoofed sources out un-masqueraded, also to metadata"',
  blindSpot: 'which names resolve to what is F1; pins are given here',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  attacks: outward,
  phases: ['standing', 'changed'],
});
