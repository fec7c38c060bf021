/** F4.load: one guest cannot use up what the others need. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F4.load',
  statement:
    'A flood of packets, connections or DNS queries from one guest leaves probes, siblings and the control channel working.',
  source:
    'findings.md F4, reference: "a port range clear of the listeners"; RFC 5508 section 2: translated ports are shared',
  blindSpot:
    'what many guests do together; processor time, which is the cgroup’s; the queue of the DNS proxy, which is F1.bounds',
  expected: { kernel: residualCells, vm: residualCells },
};
