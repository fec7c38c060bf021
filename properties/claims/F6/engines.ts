/** F6.engines: one gate. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.engines',
  statement:
    'Every engine refuses and reaps every guest that has not diverged, and admits every one that has.',
  source: 'findings.md F6 Reference: "One gate, shared by the husk, raw-forkd and sandbox-server engines"',
  blindSpot: 'an engine that is not in this tree yet',
  expected: { vm: residualCells },
};
