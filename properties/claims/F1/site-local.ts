/** F1.site-local: deprecated site-local addresses are still routed by somebody. */
import * as fc from 'fast-check';
import { policyArbitrary } from '../../arbitraries/addresses.ts';
import { addressText, intervalOf } from '../../oracles/addresses/address-number.ts';
import { defineAddressClaim } from '../address-claim.ts';

const { first, last } = intervalOf('fec0::/10');

export const claim = defineAddressClaim({
  id: 'F1.site-local',
  statement: 'fec0::/10 is never pinned.',
  source: 'findings.md F1; RFC 3879',
  blindSpot: 'policies that exempt it by pinPrivateCIDRs are left out',
  expected: {
    decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
  },
  arbitrary: () =>
    fc.record({
      policy: policyArbitrary.filter(({ pinPrivateCIDRs }) => !pinPrivateCIDRs.includes('::/0')),
      address: fc
        .oneof(fc.constantFrom(first, last), fc.bigInt({ min: first, max: last }))
        .map((value) => addressText({ family: 6, value })),
    }),
  requires: () => ({ verdict: 'refuse', rule: 'fec0::/10 deprecated site-local, RFC 3879' }),
});
