/** What the published pin filter was observed to do (findings.md F1), a row each. */
import type { pinAddress } from '../../protocol/pin-address.ts';
import type { Observed } from '../observed.ts';

const config = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
const decodes = 'Published: decodes `64:ff9b::/96` and `2002::/16`, re-applies its own IPv4 policy';
const residual = 'Residual, addresses';

const row = (says: string, address: string, verdict: 'pin' | 'refuse'): Observed<typeof pinAddress> => ({
  says,
  config,
  input: { address },
  output: { verdict },
});

export const observed: readonly Observed<typeof pinAddress>[] = [
  row(decodes, '64:ff9b::a9fe:a9fe', 'refuse'),
  row(decodes, '2002:a9fe:a9fe::', 'refuse'),
  row(`${decodes}: CGNAT`, '64:ff9b::6440:1', 'refuse'),
  row('Published: blocks `fec0::/10`', 'fec0::1', 'refuse'),
  row('Published: a wrapper of a public IPv4 stays allowed', '64:ff9b::5db8:d822', 'pin'),
  row('Published: a wrapper of a public IPv4 stays allowed', '2002:5db8:d822::', 'pin'),
  row('Published: unspecified `0.0.0.0`', '0.0.0.0', 'refuse'),
  row(`${residual}: \`0.0.0.0/8\` beyond \`0.0.0.0\``, '0.0.0.1', 'pin'),
  row(`${residual}: \`192.0.0.0/24\` (Oracle metadata)`, '192.0.0.192', 'pin'),
  row(`${residual}: \`198.18/15\``, '198.18.0.1', 'pin'),
  row(`${residual}: \`240/4\``, '240.0.0.1', 'pin'),
  row(`${residual}: test nets`, '203.0.113.1', 'pin'),
  row(`${residual}: \`192.88.99/24\``, '192.88.99.1', 'pin'),
  row(`${residual}: \`168.63.129.16\` (Azure wireserver)`, '168.63.129.16', 'pin'),
  row(`${residual}: NAT64 of any of those`, '64:ff9b::a83f:8110', 'pin'),
  row(`${residual}: \`64:ff9b:1::/48\``, '64:ff9b:1::a9fe:a9fe', 'pin'),
  row(`${residual}: Teredo`, '2001:0:4136:e378:8000:63bf:5601:5601', 'pin'),
  row(`${residual}: ISATAP`, '2a00:1450:4001:802:0:5efe:a9fe:a9fe', 'pin'),
  row(`${residual}: IPv4-compatible`, '::a9fe:a9fe', 'pin'),
  row(`${residual}: SIIT \`::ffff:0:0:0/96\``, '::ffff:0:a9fe:a9fe', 'pin'),
  row(`${residual}: everything outside \`2000::/3\``, '4000::1', 'pin'),
  row(`${residual}: \`3fff::/20\``, '3fff::1', 'pin'),
  row(`${residual}: \`5f00::/16\``, '5f00::1', 'pin'),
  row(`${residual}: \`100::/64\``, '100::1', 'pin'),
];
