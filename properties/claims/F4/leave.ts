/** F4.leave: where a guest's packets go. */
import { outward } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim, guestSends } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';

/** Denied addresses inside others, where the policy allows every address; and a protocol that is none of its. */
const hidden = [
  ...[
    '2002:a9fe:a9fe::',
    '::ffff:a9fe:a9fe',
    '::ffff:808:808',
    '2001:4860::5efe:a9fe:a9fe',
    '2001:67c:2e8:808:108:800::',
    '64:ff9b::a9fe:a9fe',
  ].map((destination) => guestSends('fd00:200::2', destination, 123, { index: 3 })),
  guestSends('10.200.0.2', '8.8.8.8', { kind: 'raw', protocol: 132 }, { index: 14 }),
];

export const claim = attackClaim({
  id: 'F4.leave',
  statement:
    'Nothing leaves except to an allowed (protocol, address, port); never with a guest source; never metadata.',
  source:
    'findings.md F4, residual: "the same hole on the forward hook lets spoofed sources out un-masqueraded, also to metadata"',
  blindSpot: 'which names resolve to what is F1; pins are given here',
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  attacks: outward,
  examples: [
    guestSends('10.200.0.0', '169.254.169.254', 80),
    guestSends('10.200.0.2', '169.254.169.254', 80),
    ...hidden,
  ],
  phases: ['standing', 'changed'],
});
