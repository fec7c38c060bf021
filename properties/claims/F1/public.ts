/** F1.public: the policy closes holes, not the Internet. */
import * as fc from 'fast-check';
import {
  type AddressCase,
  addressCase,
  anyIpv4,
  embeddedIn,
  emptyPolicy,
} from '../../arbitraries/addresses.ts';
import { addressNumber } from '../../oracles/addresses/address-number.ts';
import { embeddingsIn, requiredOf } from '../../oracles/addresses/address-oracle.ts';
import { sixToFour, wellKnownNat64 } from '../../oracles/addresses/embeddings.ts';
import { addressVectors, defineAddressClaim } from '../address-claim.ts';

export const claim = defineAddressClaim<AddressCase>({
  id: 'F1.public',
  statement:
    'Addresses in no registry, cloud or deny entry and matched by no decoder, and wrappers of public IPv4 (well-known NAT64, ' +
    '6to4), stay pinned.',
  source: 'findings.md F1, published: a behaviour to keep',
  expected: {
    decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    kernel: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
  },
  examples: () => addressVectors('pin', ({ flags }) => !flags.includes('policy')),
  arbitrary: () =>
    fc.oneof(
      embeddedIn([wellKnownNat64, sixToFour], anyIpv4).map(({ policy, address }) => ({ policy, address })),
      addressCase.map(({ address }) => ({ policy: emptyPolicy, address })),
    ),
  requires({ policy, address }) {
    const { mayPin, rule } = requiredOf(policy, address);
    const number = addressNumber(address);
    const known = ['NAT64 64:ff9b::/96', '6to4'];
    const unusual = embeddingsIn(policy, number).some((how) => !known.includes(how));
    return mayPin && !unusual ? { verdict: 'pin', rule } : null;
  },
});
