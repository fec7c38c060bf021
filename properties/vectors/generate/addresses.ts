/**
 * The corpus of addresses: every edge of every block, every embedding of every kind of IPv4, policies, and
 * text that is none.
 */
import { emptyPolicy } from '../../arbitraries/addresses.ts';
import { addressNumber, addressText, intervalOf } from '../../oracles/addresses/address-number.ts';
import { type Policy, requiredOf } from '../../oracles/addresses/address-oracle.ts';
import {
  nat64Embedding,
  operatorNat64Prefixes,
  otherEmbeddings,
  sixToFour,
  wellKnownNat64,
} from '../../oracles/addresses/embeddings.ts';
import {
  cloudAddresses,
  globalUnicast,
  ipv4Registry,
  ipv6Registry,
  type RegistryEntry,
} from '../../oracles/addresses/registries.ts';

export interface AddressVector {
  readonly id: string;
  readonly comment: string;
  readonly config: Policy;
  readonly input: { readonly address: string };
  readonly verdict: 'pin' | 'refuse';
  /** With verdict pin: what is pinned. */
  readonly pinnedAs?: string;
  readonly rule: string;
  readonly source: string;
  readonly flags: readonly string[];
}

const mapped = intervalOf('::ffff:0:0/96');

function vector(
  id: string,
  comment: string,
  config: Policy,
  address: string,
  source: string,
  flags: string[],
): AddressVector {
  const { mayPin, rule } = requiredOf(config, address);
  const base = { id, comment, config, input: { address } };
  if (!mayPin) return { ...base, verdict: 'refuse', rule, source, flags };
  const number = addressNumber(address);
  const isMapped = number.family === 6 && number.value >= mapped.first && number.value <= mapped.last;
  const pinnedAs = isMapped
    ? addressText({ family: 4, value: number.value & 0xffff_ffffn })
    : addressText(number);
  return { ...base, verdict: 'pin', pinnedAs, rule, source, flags };
}

function edgesOf({ prefix, name, source }: RegistryEntry, kind: string): AddressVector[] {
  const { family, first, last } = intervalOf(prefix);
  const most = family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
  const places: [string, bigint][] = [
    ['before', first - 1n],
    ['first', first],
    ['last', last],
    ['after', last + 1n],
  ];
  return places
    .filter(([place, value]) => value >= 0n && value <= most && !(place === 'last' && first === last))
    .map(([place, value]) =>
      vector(
        `${kind}/${prefix}/${place}`,
        `${place} of ${prefix}, ${name}`,
        emptyPolicy,
        addressText({ family, value }),
        source,
        ['edge'],
      ),
    );
}

const carried: readonly [string, string][] = [
  ['metadata', '169.254.169.254'],
  ['private', '10.0.0.1'],
  ['wire-server', '168.63.129.16'],
  ['oracle-metadata', '192.0.0.192'],
  ['this-network', '0.1.2.3'],
  ['reserved', '240.0.0.1'],
  ['public', '93.184.216.34'],
];

function embeddings(): AddressVector[] {
  return [wellKnownNat64, sixToFour, ...otherEmbeddings].flatMap((embedding) =>
    carried.map(([kind, ipv4]) => {
      const config =
        embedding.nat64Prefix === null
          ? emptyPolicy
          : { ...emptyPolicy, nat64Prefixes: [embedding.nat64Prefix] };
      const address = embedding.embed(addressNumber(ipv4).value, 0n);
      const comment = `${ipv4} in ${embedding.name}`;
      return vector(
        `embedding/${embedding.name.replaceAll(/[ ,]+/g, '-')}/${kind}`,
        comment,
        config,
        address,
        embedding.source,
        ['embedded', kind],
      );
    }),
  );
}

function policies(): AddressVector[] {
  const deny = { ...emptyPolicy, denyCIDRs: ['93.184.216.0/24', '2606:2800:220::/48'] };
  const exempt = { ...emptyPolicy, pinPrivateCIDRs: ['10.20.0.0/16', 'fd12:3456::/32', '169.254.0.0/16'] };
  const both = { ...exempt, denyCIDRs: ['10.20.30.0/24'] };
  const cases: [string, Policy, string][] = [
    ['denied', deny, '93.184.216.34'],
    ['denied-inside-nat64', deny, '64:ff9b::5db8:d822'],
    ['denied-inside-6to4', deny, '2002:5db8:d822::'],
    ['denied-inside-mapped', deny, '::ffff:5db8:d822'],
    ['denied-ipv6', deny, '2606:2800:220:1:248:1893:25c8:1946'],
    ['neighbour-of-denied', deny, '93.184.217.34'],
    ['exempt-private', exempt, '10.20.0.1'],
    ['exempt-private-inside-nat64', exempt, '64:ff9b::a14:1'],
    ['private-not-exempt', exempt, '10.21.0.1'],
    ['exempt-ula', exempt, 'fd12:3456::1'],
    ['ula-not-exempt', exempt, 'fd12:3457::1'],
    ['link-local-never-exempt', exempt, '169.254.1.1'],
    ['metadata-never-exempt', exempt, '169.254.169.254'],
    ['deny-beats-exempt', both, '10.20.30.1'],
    ['exempt-beside-deny', both, '10.20.31.1'],
  ];
  return cases.map(([name, config, address]) =>
    vector(
      `policy/${name}`,
      name.replaceAll('-', ' '),
      config,
      address,
      'findings.md F1, reference (2) to (4)',
      ['policy'],
    ),
  );
}

/** Non-zero bits 64 to 71 under a prefix shorter than /96. */
function uOctets(): AddressVector[] {
  return operatorNat64Prefixes
    .filter((prefix) => !prefix.endsWith('/96'))
    .map((prefix) => {
      const clean = addressNumber(nat64Embedding(prefix).embed(0x5db8_d822n, 0n)).value;
      const address = addressText({ family: 6, value: clean | (1n << 56n) });
      const config = { ...emptyPolicy, nat64Prefixes: [prefix] };
      return vector(
        `u-octet/${prefix}`,
        'bits 64 to 71 are not zero',
        config,
        address,
        'RFC 6052 section 2.2',
        ['u-octet'],
      );
    });
}

const noAddresses = [
  '',
  'example.com',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '01.2.3.4',
  '0x7f.0.0.1',
  '1.2.3.4/32',
  ' 1.2.3.4',
  '::1%lo',
  ':::',
  '1::2::3',
  '12345::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '::1.2.3',
  '1.2.3.4::',
  'fe80::1%eth0',
  '[::1]',
  '2130706433',
];

function texts(): AddressVector[] {
  return noAddresses.map((address) => ({
    id: `text/${JSON.stringify(address)}`,
    comment: 'text that is no address',
    config: emptyPolicy,
    input: { address },
    verdict: 'refuse',
    rule: 'not an address',
    source: 'RFC 4291 section 2.2, RFC 6943 section 3.1.1',
    flags: ['text'],
  }));
}

export function generate() {
  const vectors = [
    ...ipv4Registry.flatMap((entry) => edgesOf(entry, 'ipv4')),
    ...ipv6Registry.flatMap((entry) => edgesOf(entry, 'ipv6')),
    ...edgesOf({ prefix: globalUnicast, name: 'global unicast', source: 'IANA IPv6 address space' }, 'ipv6'),
    ...cloudAddresses.flatMap((entry) => edgesOf(entry, 'cloud')),
    ...embeddings(),
    ...uOctets(),
    ...policies(),
    ...texts(),
  ];
  return {
    $schema: 'schemas/addresses.schema.json',
    corpus: 'addresses',
    version: 1,
    source:
      'IANA special-purpose registries, RFC 6052, RFC 3056, RFC 5214, RFC 4380, RFC 4291, the clouds’ documentation',
    notes: [
      'verdict: what a pin filter must do under config; refuse where any embedded IPv4 is refused.',
      'config: denyCIDRs, nat64Prefixes and pinPrivateCIDRs of the operator; empty in most vectors.',
    ],
    vectors,
  };
}
