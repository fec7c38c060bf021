/** F1.6to4: a 6to4 prefix hides nothing. */
import { embeddedIn, emptyPolicy, specialIpv4 } from '../../arbitraries/addresses.ts';
import { sixToFour } from '../../oracles/addresses/embeddings.ts';
import { decide, defineAddressClaim } from '../address-claim.ts';

export const claim = defineAddressClaim({
  id: 'F1.6to4',
  statement: 'An address that wraps an IPv4 which the subject itself blocks is never pinned: 6to4.',
  source: 'findings.md F1; RFC 3056 section 2',
  expected: {
    decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
  },
  arbitrary: () => embeddedIn([sixToFour], specialIpv4),
  requires({ ipv4 }, subject) {
    const inner = decide(subject, { policy: emptyPolicy, address: ipv4 });
    if (inner.verdict === 'pin') return null;
    return { verdict: 'refuse', rule: `it is ${ipv4}, which the subject blocks as ${inner.rule}` };
  },
});
