/** F1.special-purpose: what no registry calls global is never pinned. */
import { addressCase } from '../../arbitraries/addresses.ts';
import { requiredOf } from '../../oracles/addresses/address-oracle.ts';
import { addressVectors, defineAddressClaim } from '../address-claim.ts';

export const claim = defineAddressClaim({
  id: 'F1.special-purpose',
  statement:
    'No special-purpose address is pinned, nothing outside 2000::/3: wrappers of an allowed IPv4 excepted.',
  source: 'findings.md F1 (5), (6); IANA special-purpose registries, RFC 6890',
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  examples: () => addressVectors('refuse'),
  arbitrary: () => addressCase,
  requires({ policy, address }) {
    const { mayPin, rule } = requiredOf(policy, address);
    return mayPin ? null : { verdict: 'refuse', rule };
  },
});
