/** F1.cloud: no cloud's metadata or wire-server address, however it is written. */
import * as fc from 'fast-check';
import { type AddressCase, embeddedIn, policyArbitrary } from '../../arbitraries/addresses.ts';
import { addressText, intervalOf } from '../../oracles/addresses/address-number.ts';
import { otherEmbeddings, sixToFour, wellKnownNat64 } from '../../oracles/addresses/embeddings.ts';
import { cloudAddresses } from '../../oracles/addresses/registries.ts';
import { addressVectors, defineAddressClaim } from '../address-claim.ts';

const intervals = cloudAddresses.map(({ prefix }) => intervalOf(prefix));
const plain = intervals.map(({ family, first }) => addressText({ family, value: first }));
const ipv4 = intervals.filter(({ family }) => family === 4).map(({ first }) => first);

export const claim = defineAddressClaim<AddressCase>({
  id: 'F1.cloud',
  statement: "No cloud's metadata or wire-server address is pinned, embedded or not.",
  source: 'findings.md F1; the clouds’ documentation (properties/oracles/addresses/registries.ts)',
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  examples: () =>
    addressVectors('refuse', ({ id, flags }) => /^cloud\/.*\/first$/.test(id) || flags.includes('metadata')),
  arbitrary: () =>
    fc.oneof(
      fc.record({ policy: policyArbitrary, address: fc.constantFrom(...plain) }),
      embeddedIn([wellKnownNat64, sixToFour, ...otherEmbeddings], fc.constantFrom(...ipv4)),
    ),
  requires: () => ({ verdict: 'refuse', rule: 'an address of the cloud table, embedded or not' }),
});
