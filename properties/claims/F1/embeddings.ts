/** F1.embeddings: no other way of writing an IPv4 into an IPv6 address hides anything. */
import * as fc from 'fast-check';
import { embeddedIn, emptyPolicy, specialIpv4 } from '../../arbitraries/addresses.ts';
import { otherEmbeddings } from '../../oracles/addresses/embeddings.ts';
import { decide, defineAddressClaim } from '../address-claim.ts';

/** 169.254.169.254 and 10.0.0.1, which every subject blocks as IPv4. */
const blockedByAll = fc.constantFrom(0xa9fe_a9fen, 0x0a00_0001n);

export const claim = defineAddressClaim({
  id: 'F1.embeddings',
  statement:
    'An address that wraps an IPv4 which the subject itself blocks is never pinned, in any embedding: operator NAT64 ' +
    '/32–/96, 64:ff9b:1::/48, ISATAP, Teredo, IPv4-compatible, mapped, SIIT, nested.',
  source: 'findings.md F1; RFC 6052, RFC 8215, RFC 5214, RFC 4380, RFC 4291, RFC 7915',
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  arbitrary: () => embeddedIn(otherEmbeddings, fc.oneof(blockedByAll, specialIpv4)),
  requires({ ipv4 }, subject) {
    const inner = decide(subject, { policy: emptyPolicy, address: ipv4 });
    if (inner.verdict === 'pin') return null;
    return { verdict: 'refuse', rule: `it is ${ipv4}, which the subject blocks as ${inner.rule}` };
  },
});
