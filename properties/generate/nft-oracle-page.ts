/** docs/nft-oracle.md: what the oracle for nftables rulesets understands, from its own tables. */
import { ctReaders, settableCtKeys } from '../oracles/nft/evaluate/ct.ts';
import { understoodKinds } from '../oracles/nft/evaluate/expressions.ts';
import { matches, targets } from '../oracles/nft/evaluate/extensions.ts';
import { ignoredMetaKeys, metaReaders } from '../oracles/nft/evaluate/meta.ts';
import { protocols } from '../oracles/nft/json/fields.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(' ');

const notes: Readonly<Record<string, string>> = {
  payload: 'link (tags put back), network and transport headers; not inner headers',
  'payload-set':
    'the fixed network header and the transport header, not at ingress; checksums stay as they were',
  compare: 'all six operators',
  mask: 'and, xor',
  lookup: 'intervals, concatenations, maps, verdict maps, catch-all; not sets that packets fill',
  fib: 'the type of an address, of the devices and routes that the topology names',
  exthdr: 'whether an IPv6 extension header is there; not its fields, nor TCP and IP options',
  nat: 'one address or a range, one port or a range; not netmap',
  either: 'limit, quota, connection count: passes or not',
  effect: 'counter, log, last, helpers: no verdict depends on them',
  match: 'xtables matches, listed below',
  target: 'xtables targets, listed below',
  queue: 'an outcome of its own: user space decides',
};

const quirks: readonly string[] = [
  'Of a later fragment, an aligned load of one, two or four bytes of the transport header reads what lies there ' +
    '(Linux 6.18, as long as the packet lies in one piece); any other load breaks off. Of IPv6 it reads from the network header.',
  'An xtables match on tcp, udp, icmp or several ports drops a packet whose header is cut off, whatever the rule says.',
  'One VLAN tag is off the packet at ingress, so that `meta protocol` is the inner type and the link layer still shows the tag; ' +
    'behind a second tag nothing is looked at. A frame whose tags all have identifier 0 reaches the IP layer.',
  'Neighbour and multicast listener discovery is untracked; before conntrack ran, every packet is `ct state invalid`.',
  'A NAT chain runs at the priority of the NAT hook, for the first packet of a flow only.',
  'Chains of equal priority run the last made first; one at the priority of a step of the kernel itself has no verdict.',
  'Fragments are held where conntrack collects them, and before input; a proof goes on with what they may become.',
];

const listings: readonly string[] = [
  'the device of an ingress chain (nft 1.0.6)',
  'the parameters of xtables matches',
  '`ct l3proto` before a match on that protocol',
  '`ether type ip` before `ip …`, which decides about tagged frames',
];

export function nftOraclePage(): string {
  const kinds = understoodKinds.map((kind) => [`\`${kind}\``, notes[kind] ?? '']);
  const fields = Object.entries(protocols).map(([name, known]) => [`\`${name}\``, code(Object.keys(known))]);
  const lines = (list: readonly string[]) => list.map((text) => `- ${text}`).join('\n');
  return `# What the nft oracle understands

${generatedNotice}

\`properties/oracles/nft\` reads a ruleset from the kernel (nfnetlink) or from \`nft -j list ruleset\`, decides a
packet through netdev ingress, prerouting, input, forward, output and postrouting (and egress), and proves
sentences about all packets. Whatever is not on this page is an error that names the expression, never an accept.

## Expressions

${markdownTable(['kind', 'what of it'], kinds)}

- \`meta\`: ${code(Object.keys(metaReaders))}; set: \`mark\` \`pkttype\` ${code(ignoredMetaKeys)}
- \`ct\`: \`state\` ${code(Object.keys(ctReaders))}; set: ${code(settableCtKeys)}
- xtables matches, with revision: ${code(Object.keys(matches))}
- xtables targets, with revision: ${code(Object.keys(targets))}
- verdicts: \`accept\` \`drop\` \`jump\` \`goto\` \`return\` \`continue\` \`queue\`

## Header fields in a listing

${markdownTable(['protocol', 'fields'], fields)}

## What the kernel does and a reader of rules might not expect

Held to the kernel by \`pnpm test:fidelity\`: random rulesets and packets, every rule that matched.

${lines(quirks)}

## What a listing leaves out

Read the ruleset from its network namespace where one of these matters:

${lines(listings)}
`;
}
