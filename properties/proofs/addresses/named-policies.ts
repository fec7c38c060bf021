/** Policies for which pin-address is proved, by what is remarkable of them. */
import { emptyPolicy, policies as generatedPolicies } from '../../arbitraries/addresses.ts';
import type { Policy } from '../../oracles/addresses/address-rules.ts';

export interface NamedPolicy {
  readonly says: string;
  readonly policy: Policy;
}

const naming = (says: string, fields: Partial<Policy>): NamedPolicy => ({
  says,
  policy: { ...emptyPolicy, ...fields },
});

const denyCIDRs = [
  '8.8.8.0/24',
  '93.184.216.34/32',
  '2a00:1450::/32',
  '2606:4700:4700::1111/128',
  '2002:808::/32',
  '64:ff9b::808:800/120',
  '::ffff:808:400/120',
  '64:ff9b:1::/64',
];
const pinPrivateCIDRs = ['10.20.0.0/16', '127.0.0.0/8', '192.0.0.0/16', 'fd12:3456::/32', '2001:db8::/33'];
/** Each is within the one before; the last ones lie in 6to4 and around the well-known NAT64 prefix. */
const nested = ['2001:67c::/32', '2001:67c:a00::/40', '2001:67c:a00::/64', '2001:67c:a00::/96'];
const overlapping = ['2002:a00::/40', '2002:a00::/96', '64:ff9b::/48', '::/96', 'fec0::/56'];

/** These alone refute every mutant: the small scope. */
export const essentialPolicies: readonly NamedPolicy[] = [
  naming('the empty policy', {}),
  naming('NAT64 prefixes of /40, /48 and, in ULA, /56', {
    nat64Prefixes: ['2a02:1200:4000::/40', '2a00:1098:2b::/48', 'fd00:6464::/56'],
  }),
  naming('denyCIDRs outside and inside embeddings, beside pinPrivateCIDRs', {
    denyCIDRs: [...denyCIDRs, '10.20.30.0/24'],
    pinPrivateCIDRs,
    nat64Prefixes: ['64:ff9b:1::/48'],
  }),
];

export const namedPolicies: readonly NamedPolicy[] = [
  ...essentialPolicies,
  naming('denyCIDRs', { denyCIDRs }),
  ...[
    '2001:67c::/32',
    '2a02:1200:4000::/40',
    '64:ff9b:1::/48',
    'fd00:6464::/56',
    '2607:f8b0:4004:64::/64',
    'fd7a:115c:a1e0:64::/96',
  ].map((prefix) => naming(`NAT64 ${prefix}`, { nat64Prefixes: [prefix] })),
  naming('NAT64 prefixes within prefixes', { nat64Prefixes: nested }),
  naming('NAT64 prefixes over 6to4, well-known NAT64, IPv4-compatible and site-local', {
    nat64Prefixes: overlapping,
  }),
  naming('pinPrivateCIDRs of everything', { pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] }),
  naming('everything at once', { denyCIDRs, pinPrivateCIDRs, nat64Prefixes: [...nested, ...overlapping] }),
  ...generatedPolicies.slice(1).map((policy, index) => ({ says: `generated policy ${index + 1}`, policy })),
];
