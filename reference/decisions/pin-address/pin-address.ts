/**
 * pin-address: may an address found in a DNS answer be pinned into the datapath? Compiled once from the
 * operator's policy; every decision is total, allocates nothing and names its rule. The rules are
 * findings.md F1, "Reference, addresses".
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { globalUnicast, neverList, outsideGlobalUnicast, privateList } from './address-lists.ts';
import { type Prefix, parsePrefix } from './ip-address.ts';
import { PrefixTrie } from './prefix-trie.ts';

export interface AddressPolicy {
  /** Operator deny list: cluster, node and API server ranges. */
  readonly denyCIDRs: readonly string[];
  /** RFC 6052 prefixes in use, of /32 /40 /48 /56 /64 /96. */
  readonly nat64Prefixes: readonly string[];
  /** Ranges of the private list that may be pinned all the same. */
  readonly pinPrivateCIDRs: readonly string[];
}

export interface AddressVerdict {
  readonly pin: boolean;
  /** What is pinned: an IPv4-mapped address is its IPv4 (RFC 4291 section 2.5.5.2). */
  readonly family: 'ipv4' | 'ipv6';
  readonly rule: string;
}

export interface CompiledAddressPolicy {
  /** Decides the address whose 4 or 16 octets begin at `offset`. Verdicts are shared and frozen. */
  decide(bytes: Uint8Array, offset: number, length: 4 | 16): AddressVerdict;
}

/** How an address carries an IPv4: the places of the octets that hold it, most significant first. */
interface Decoder {
  readonly name: string;
  readonly octets: readonly [number, number, number, number];
  /** RFC 6052 section 2.2: bits 64 to 71 are zero where the IPv4 spans or precedes them. */
  readonly zeroOctet: boolean;
  /** A NAT64 allow exempts from default deny and registry entries. */
  readonly nat64: boolean;
}

/** What holds for every address under one leaf of a trie. */
interface Leaf {
  readonly never: string | null;
  readonly private: string | null;
  readonly pinPrivate: boolean;
  /** IPv4-mapped (RFC 4291 section 2.5.5.2): the low 32 bits decide. */
  readonly mapped: boolean;
  readonly decoders: readonly Decoder[];
}

/** RFC 6052 section 2.2, figure 1. */
const nat64Octets: Readonly<Record<number, Decoder['octets']>> = {
  32: [4, 5, 6, 7],
  40: [5, 6, 7, 9],
  48: [6, 7, 9, 10],
  56: [7, 9, 10, 11],
  64: [9, 10, 11, 12],
  96: [12, 13, 14, 15],
};
const sixToFour: Decoder = { name: '6to4 (RFC 3056)', octets: [2, 3, 4, 5], zeroOctet: false, nat64: false };
const isatap: Decoder = {
  name: 'ISATAP (RFC 5214)',
  octets: [12, 13, 14, 15],
  zeroOctet: false,
  nat64: false,
};
const wellKnownNat64 = '64:ff9b::/96';
const sixToFourPrefix = '2002::/16';
const mappedPrefix = '::ffff:0:0/96';

/** Leaf 1: the interface identifier is 0000:5efe or 0200:5efe (RFC 5214 section 6.1). */
const isatapIdentifiers = new PrefixTrie(0);
for (const first of [0x00, 0x02]) isatapIdentifiers.paint(Uint8Array.of(first, 0, 0x5e, 0xfe), 32, () => 1);

/**
 * A trie whose leaves are attributes: each painting changes one attribute, so that their order does not
 * matter.
 */
class LeafTrie {
  readonly trie: PrefixTrie;
  readonly leaves: Leaf[];
  readonly #known: Map<string, number>;

  constructor(from?: LeafTrie) {
    this.leaves = from === undefined ? [] : [...from.leaves];
    this.#known = new Map(from === undefined ? [] : from.#known);
    const first = { never: null, private: null, pinPrivate: false, mapped: false, decoders: [] };
    this.trie = from === undefined ? new PrefixTrie(this.#intern(first)) : from.trie.clone();
  }

  paint(prefix: Prefix, change: (leaf: Leaf) => Leaf): void {
    const changed = new Map<number, number>();
    this.trie.paint(prefix.bytes, prefix.length, (index) => {
      let next = changed.get(index);
      if (next === undefined) {
        next = this.#intern(change(this.leaves[index] as Leaf));
        changed.set(index, next);
      }
      return next;
    });
  }

  #intern(leaf: Leaf): number {
    const key = JSON.stringify([
      leaf.never,
      leaf.private,
      leaf.pinPrivate,
      leaf.mapped,
      leaf.decoders.map(({ name }) => name),
    ]);
    const index = this.#known.get(key) ?? this.leaves.length;
    if (index === this.leaves.length) this.leaves.push(leaf);
    this.#known.set(key, index);
    return index;
  }
}

interface Tries {
  readonly ipv4: LeafTrie;
  readonly ipv6: LeafTrie;
}

const base: Tries = compileBase();

function compileBase(): Tries {
  const tries = { ipv4: new LeafTrie(), ipv6: new LeafTrie() };
  const everything = parsePrefix('::/0', 'built in');
  tries.ipv6.paint(everything, (leaf) => ({ ...leaf, private: outsideGlobalUnicast }));
  tries.ipv6.paint(parsePrefix(globalUnicast, 'built in'), (leaf) => ({ ...leaf, private: null }));
  for (const { prefix, rule } of privateList) paint(tries, prefix, (leaf) => ({ ...leaf, private: rule }));
  for (const { prefix, rule } of neverList) paint(tries, prefix, (leaf) => ({ ...leaf, never: rule }));
  paint(tries, mappedPrefix, (leaf) => ({ ...leaf, mapped: true }));
  paint(tries, wellKnownNat64, (leaf) => withDecoder(leaf, nat64Decoder(wellKnownNat64, 96)));
  paint(tries, sixToFourPrefix, (leaf) => withDecoder(leaf, sixToFour));
  return tries;
}

function paint(tries: Tries, text: string, change: (leaf: Leaf) => Leaf, field = 'built in'): void {
  const prefix = parsePrefix(text, field);
  (prefix.bytes.length === 4 ? tries.ipv4 : tries.ipv6).paint(prefix, change);
}

function withDecoder(leaf: Leaf, decoder: Decoder): Leaf {
  if (leaf.decoders.some(({ name }) => name === decoder.name)) return leaf;
  return { ...leaf, decoders: [...leaf.decoders, decoder] };
}

function nat64Decoder(text: string, lengthBits: number): Decoder {
  const octets = nat64Octets[lengthBits];
  if (octets === undefined) throw badNat64(text, 'its length is none of /32 /40 /48 /56 /64 /96');
  return { name: `NAT64 ${text} (RFC 6052)`, octets, zeroOctet: lengthBits < 96, nat64: true };
}

function badNat64(text: string, what: string): CodedError {
  const remedy =
    'name the prefix that the NAT64 translator uses (RFC 6052 section 2.2), for example 64:ff9b:1::/96';
  return new CodedError('bad-nat64-prefix', `nat64Prefixes: ${text}: ${what}`, remedy);
}

function paintNat64(tries: Tries, text: string): void {
  const prefix = parsePrefix(text, 'nat64Prefixes');
  if (prefix.bytes.length !== 16) throw badNat64(text, 'it is no IPv6 prefix');
  if (prefix.length === 96 && prefix.bytes[8] !== 0) throw badNat64(text, 'bits 64 to 71 are not zero');
  const decoder = nat64Decoder(text, prefix.length);
  tries.ipv6.paint(prefix, (leaf) => withDecoder(leaf, decoder));
}

const uOctet: AddressVerdict = Object.freeze({ pin: false, family: 'ipv6', rule: 'nat64-u-octet' });

/**
 * Compiles a policy; do it once per configuration, not per address.
 * @throws CodedError `bad-prefix`, `bad-nat64-prefix`, naming the entry
 */
export function compileAddressPolicy(policy: AddressPolicy): CompiledAddressPolicy {
  const tries: Tries = { ipv4: new LeafTrie(base.ipv4), ipv6: new LeafTrie(base.ipv6) };
  for (const text of policy.denyCIDRs) {
    paint(tries, text, (leaf) => ({ ...leaf, never: `operator deny ${text}` }), 'denyCIDRs');
  }
  for (const text of policy.nat64Prefixes) paintNat64(tries, text);
  for (const text of policy.pinPrivateCIDRs) {
    paint(tries, text, (leaf) => ({ ...leaf, pinPrivate: true }), 'pinPrivateCIDRs');
  }
  const verdicts4 = tries.ipv4.leaves.map((leaf) => plainVerdict(leaf, 'ipv4'));
  const verdicts6 = tries.ipv6.leaves.map((leaf) => plainVerdict(leaf, 'ipv6'));
  const { ipv4, ipv6 } = { ipv4: tries.ipv4.trie, ipv6: tries.ipv6.trie };
  const leaves6 = tries.ipv6.leaves;
  const embedded = new EmbeddedVerdicts();

  /** The verdict on what one decoder finds. */
  const decode = (decoder: Decoder, bytes: Uint8Array, offset: number): AddressVerdict => {
    if (decoder.zeroOctet && bytes[offset + 8] !== 0) return uOctet;
    const inner = verdicts4[ipv4.lookupAt(bytes, offset, decoder.octets)] as AddressVerdict;
    return embedded.of(decoder, inner);
  };

  const decide6 = (bytes: Uint8Array, offset: number): AddressVerdict => {
    const index = ipv6.lookup(bytes, offset);
    const leaf = leaves6[index] as Leaf;
    const plain = verdicts6[index] as AddressVerdict;
    if (leaf.never !== null) return plain;
    if (leaf.mapped) return verdicts4[ipv4.lookup(bytes, offset + 12)] as AddressVerdict;
    let allowed: AddressVerdict | null = null;
    let exempt = false;
    for (const decoder of leaf.decoders) {
      const verdict = decode(decoder, bytes, offset);
      if (!verdict.pin) return verdict;
      allowed ??= verdict;
      exempt ||= decoder.nat64;
    }
    if (isatapIdentifiers.lookup(bytes, offset + 8) === 1) {
      const verdict = decode(isatap, bytes, offset);
      if (!verdict.pin) return verdict;
      allowed ??= verdict;
    }
    // A NAT64 allow exempts from default deny and registry entries, and from nothing else.
    return plain.pin || exempt ? (allowed ?? plain) : plain;
  };

  return {
    decide: (bytes, offset, length) =>
      length === 4 ? (verdicts4[ipv4.lookup(bytes, offset)] as AddressVerdict) : decide6(bytes, offset),
  };
}

function plainVerdict(leaf: Leaf, family: AddressVerdict['family']): AddressVerdict {
  const refused = leaf.never ?? (leaf.pinPrivate ? null : leaf.private);
  if (refused !== null) return Object.freeze({ pin: false, family, rule: refused });
  return Object.freeze({ pin: true, family, rule: leaf.private === null ? 'public' : 'pinPrivateCIDRs' });
}

/** Verdicts that name decoder and embedded rule, made once for each pair. */
class EmbeddedVerdicts {
  readonly #byDecoder = new Map<Decoder, Map<AddressVerdict, AddressVerdict>>();

  of(decoder: Decoder, inner: AddressVerdict): AddressVerdict {
    let byInner = this.#byDecoder.get(decoder);
    if (byInner === undefined) {
      byInner = new Map();
      this.#byDecoder.set(decoder, byInner);
    }
    let verdict = byInner.get(inner);
    if (verdict === undefined) {
      verdict = Object.freeze({ pin: inner.pin, family: 'ipv6', rule: `${decoder.name} of ${inner.rule}` });
      byInner.set(inner, verdict);
    }
    return verdict;
  }
}
