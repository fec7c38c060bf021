/** F4.source: whatever a guest can forge about a packet. */
import { forged } from '../../arbitraries/datapath-attacks.ts';
import { attackClaim, guestSends } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';

const pinned = { kind: 'udp', sport: 40_000, dport: 443 } as const;

export const claim = attackClaim({
  id: 'F4.source',
  statement:
    'From no source address, MAC, VLAN, family, fragment, option or ICMP that it can forge does the guest reach a pod-local listener, the kernel or anything beyond.',
  source: 'findings.md F4, residual: "any IPv4 source other than the guest address misses every rule"',
  blindSpot:
    'one packet at a time: overlapping fragments and what the kernel reassembles are tier kernel; the whole header space is the proof ruleset',
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  attacks: forged,
  examples: [
    guestSends('10.200.0.0', '172.20.0.10', 9443),
    guestSends('fe80::2', 'fe80::1', 9443),
    guestSends('10.200.0.2', '1.1.1.1', 8443, { options: true }),
    guestSends('fd00:200::2', '2001:4860:4860::8888', pinned, { index: 1, options: true }),
    guestSends('fd00:200::9', '2001:4860:4860::8888', pinned, { index: 1, fragment: 0x0011 }),
  ],
  phases: ['standing'],
});
