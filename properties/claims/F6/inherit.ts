/** F6.inherit: secrets stay with the sandbox that they were given to. */
import type { ClaimStatement } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F6.inherit',
  statement: 'No secret crosses a fork unless inheritance was allowed.',
  source: 'system.md: "`allowSecretInheritance` (default false: forking a secret holder is refused)"',
  blindSpot: 'what a program in a sandbox came to know by itself: no engine knows that it is secret',
  expected: { vm: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } },
};
