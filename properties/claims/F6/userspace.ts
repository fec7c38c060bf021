/** F6.userspace: what the kernel’s reseed does not reach. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.userspace',
  statement:
    'What the agent keeps of its own (OpenSSL’s generators, cached UUIDs, Math.random, ids) diverges too; what cannot diverge refuses the template, by its name.',
  source: 'findings.md F6 Residual and Reference; facts.md, userspace after a fork',
  blindSpot: 'what a process that was declared fork-safe does with its SIGUSR2',
  expected: { vm: residualCells },
};
