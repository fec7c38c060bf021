/** F6.live: a fork of what runs. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.live',
  statement: 'After a live fork the source and every child diverge.',
  source: 'facts.md: "Live fork of a running VM: freeze and fan out"',
  expected: { vm: residualCells },
};
