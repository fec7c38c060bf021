/** F1.deny-cidr: what the operator denies stays denied, and denying more never allows anything. */
import * as fc from 'fast-check';
import { type AddressCase, addressArbitrary, policyArbitrary } from '../../arbitraries/addresses.ts';
import { addressNumber, addressText } from '../../oracles/addresses/address-number.ts';
import { requiredOf } from '../../oracles/addresses/address-oracle.ts';
import { decide, defineAddressClaim } from '../address-claim.ts';

interface DenyCase extends AddressCase {
  /** The policy before the entry was added. */
  readonly before: AddressCase['policy'];
}

/** A prefix that covers the address, or what it wraps. */
function covering(text: string, free: number): string {
  const { family, value } = addressNumber(text);
  const bits = family === 4 ? Math.min(free, 32) : free;
  const first = (value >> BigInt(bits)) << BigInt(bits);
  return `${addressText({ family, value: first })}/${(family === 4 ? 32 : 128) - bits}`;
}

export const claim = defineAddressClaim<DenyCase>({
  id: 'F1.deny-cidr',
  statement: 'Operator deny-CIDRs hold, inside embeddings too; adding one never allows anything.',
  source: 'findings.md F1, reference (2), (3)',
  expected: {
    decision: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
    kernel: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
    vm: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
  },
  arbitrary: () =>
    fc
      .tuple(policyArbitrary, addressArbitrary, addressArbitrary, fc.constantFrom(0, 1, 4, 8, 16, 24))
      .map(([before, address, other, free]) => ({
        before,
        address,
        policy: {
          ...before,
          denyCIDRs: [...before.denyCIDRs, covering(free % 8 === 0 ? address : other, free)],
        },
      })),
  requires(input, subject) {
    const required = requiredOf(input.policy, input.address);
    if (!required.mayPin) return { verdict: 'refuse', rule: required.rule };
    const before = decide(subject, { policy: input.before, address: input.address });
    return before.verdict === 'refuse'
      ? { verdict: 'refuse', rule: `it was refused before the entry was added, by ${before.rule}` }
      : null;
  },
});
