/** F1.embedded: the NAT64 well-known prefix hides nothing. */
import { embeddedIn, emptyPolicy, specialIpv4 } from '../../arbitraries/addresses.ts';
import { wellKnownNat64 } from '../../oracles/addresses/embeddings.ts';
import { decide, defineAddressClaim } from '../address-claim.ts';

export const claim = defineAddressClaim({
  id: 'F1.embedded',
  statement:
    'An address that wraps an IPv4 which the subject itself blocks is never pinned: NAT64 well-known prefix.',
  source: 'findings.md F1; RFC 6052 section 2.1',
  blindSpot: 'judges a subject by its own IPv4 policy: what it does not block as IPv4 is F1.special-purpose',
  expected: {
    decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
  },
  arbitrary: () => embeddedIn([wellKnownNat64], specialIpv4),
  requires({ ipv4 }, subject) {
    const inner = decide(subject, { policy: emptyPolicy, address: ipv4 });
    if (inner.verdict === 'pin') return null;
    return { verdict: 'refuse', rule: `it is ${ipv4}, which the subject blocks as ${inner.rule}` };
  },
});
