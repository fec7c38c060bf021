/** F6.snapshot: only what was hashed runs. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.snapshot',
  statement: 'Only the octets and the environment of the manifest ever run.',
  source: 'system.md: "what is loaded is hashed once"; facts.md: QEMU accepts and runs what was changed',
  expected: { vm: residualCells },
};
