/** F6.reaped: a refused fork is gone. */
import type { ClaimStatement } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.reaped',
  statement:
    'A refused fork leaves no process, tap, chain, descriptor, memory, file, secret or journal entry.',
  source:
    'findings.md F6 Reference: "A refused fork is reaped: no process, tap, chain, clone or secret is left"',
  blindSpot: 'what the host kernel keeps of a process that has ended',
  expected: { vm: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } },
};
