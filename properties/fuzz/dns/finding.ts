/** What the fuzzer holds the codec to, and what it says when one of it does not hold. */
import type { Violation } from '../../oracles/violation.ts';

export const invariants = {
  total: 'no message makes the codec throw',
  work: 'looks at a message are bounded by a multiple of its octets',
  size: 'what is written and what is remembered is bounded, whatever is read',
  reader: 'a message is read as the independent strict reader reads it, or refused by both',
  truncation: 'no beginning of a message is a message',
  query: "a guest's message is forwarded, answered or dropped as the model says",
  covert: 'the upstream query is a function of canonical name, type and randomness alone',
  refusal: 'an answer at once holds the header and the question of the guest, and no record',
  reply: "an upstream's message is used, ignored or failed as the model says",
  plan: 'exactly the addresses that the model derives are planned, and their life',
  unplanned: 'no answer holds an address that was not planned',
  answer: 'the answer is read back, by two other readers, as what was planned',
  'fail-closed': 'when a pin failed the answer is SERVFAIL without a record',
} as const;

export type Invariant = keyof typeof invariants;

export interface Finding extends Violation {
  readonly invariant: Invariant;
  /** The message that shows it, in hex. */
  readonly message: string;
}
