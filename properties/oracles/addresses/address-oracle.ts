/**
 * What the policy requires of one address: the rules of `address-rules.ts` by interval arithmetic on BigInt.
 */
import { type AddressNumber, addressNumber, within } from './address-number.ts';
import {
  type AddressLogic,
  addressRules,
  type BitRange,
  embeddingsOf,
  type Policy,
} from './address-rules.ts';

export type { Policy } from './address-rules.ts';

export interface Required {
  readonly mayPin: boolean;
  /** What is pinned: an IPv4-mapped address is its IPv4. */
  readonly as: 'itself' | 'its IPv4';
  /** Registry entry, RFC or policy entry that requires it. */
  readonly rule: string;
}

function bitsOf({ value, family }: AddressNumber, { from, count }: BitRange): bigint {
  const width = family === 4 ? 32 : 128;
  return (value >> BigInt(width - from - count)) & ((1n << BigInt(count)) - 1n);
}

const oneAddress: AddressLogic<AddressNumber, boolean> = {
  always: true,
  never: false,
  within: (address, interval) => within(interval, address),
  equals: (address, bits, value) => bitsOf(address, bits) === value,
  ipv4At: (address, ranges) => ({
    family: 4,
    value: ranges.reduce((joined, bits) => (joined << BigInt(bits.count)) | bitsOf(address, bits), 0n),
  }),
  not: (operand) => !operand,
  and: (left, right) => left && right,
  or: (left, right) => left || right,
};

/** Names of the embeddings of the policy that match. */
export function embeddingsIn(policy: Policy, address: AddressNumber): string[] {
  if (address.family === 4) return [];
  return embeddingsOf(policy)
    .filter(({ matches }) => matches(address, oneAddress))
    .map(({ how }) => how);
}

/** The whole policy of findings.md F1, reference (1) to (6). */
export function requiredOf(policy: Policy, text: string): Required {
  const address = addressNumber(text);
  for (const { when, mayPin, as, rule } of addressRules(policy, address.family, address, oneAddress)) {
    if (when) return { mayPin, as, rule };
  }
  throw new Error(`the rules say nothing of ${text}`);
}
