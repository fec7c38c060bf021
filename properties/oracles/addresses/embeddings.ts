/**
 * Writes an IPv4 into an IPv6 address in every way that somebody decodes: the inverse of what a policy has
 * to undo.
 */
import { addressText, intervalOf } from './address-number.ts';

export interface Embedding {
  readonly name: string;
  readonly source: string;
  /** The operator NAT64 prefix that the policy must name for anyone to decode this; null for the others. */
  readonly nat64Prefix: string | null;
  /** IPv6 text that carries the IPv4. `filler` sets bits that no decoder reads. */
  embed(ipv4: bigint, filler: bigint): string;
}

const text = (value: bigint) => addressText({ family: 6, value });
const start = (prefix: string) => intervalOf(prefix).first;
const low = (prefix: string): ((ipv4: bigint) => string) => {
  const first = start(prefix);
  return (ipv4) => text(first | ipv4);
};

/** RFC 6052 section 2.2: prefix, IPv4 and suffix around the zero octet at bits 64 to 71. */
export function nat64Embedding(prefix: string): Embedding {
  const lengthBits = Number(prefix.split('/')[1]);
  const first = start(prefix);
  return {
    name: `NAT64 ${prefix}`,
    source: 'RFC 6052 section 2.2',
    nat64Prefix: prefix,
    embed(ipv4, filler) {
      if (lengthBits === 96) return text(first | ipv4);
      const suffixBits = BigInt(120 - lengthBits - 32);
      const joined = (ipv4 << suffixBits) | (filler & ((1n << suffixBits) - 1n));
      const high = joined >> 56n;
      return text(first | (high << 64n) | (joined & ((1n << 56n) - 1n)));
    },
  };
}

export const operatorNat64Prefixes = [
  '2001:67c::/32',
  '2a02:1200:4000::/40',
  '64:ff9b:1::/48',
  '2a00:1098:2b::/48',
  'fd00:6464::/56',
  '2607:f8b0:4004:64::/64',
  '64:ff9b:1:fffe::/96',
  'fd7a:115c:a1e0:64::/96',
] as const;

export const wellKnownNat64: Embedding = {
  name: 'NAT64 64:ff9b::/96',
  source: 'RFC 6052 section 2.1',
  nat64Prefix: null,
  embed: low('64:ff9b::/96'),
};

export const sixToFour: Embedding = {
  name: '6to4',
  source: 'RFC 3056 section 2',
  nat64Prefix: null,
  embed: (ipv4, filler) =>
    text(start('2002::/16') | (ipv4 << 80n) | (filler & ((1n << 80n) - 1n) & ~(0xffff_ffffn << 32n))),
};

const globalSite = 0x2a00_1450_4001_0802n;

const isatap = (identifier: bigint, how: string): Embedding => ({
  name: `ISATAP ${how}`,
  source: 'RFC 5214 section 6.1',
  nat64Prefix: null,
  embed: (ipv4) => text((globalSite << 64n) | (identifier << 32n) | ipv4),
});

const localUse = (lengthBits: number): Embedding => ({
  ...nat64Embedding(`64:ff9b:1::/${lengthBits}`),
  name: `local-use NAT64 64:ff9b:1::/${lengthBits}, not configured`,
  source: 'RFC 8215',
  nat64Prefix: null,
});

/** Embeddings beyond the two that the published fix decodes. */
export const otherEmbeddings: readonly Embedding[] = [
  ...operatorNat64Prefixes.map(nat64Embedding),
  localUse(48),
  localUse(96),
  isatap(0x0000_5efen, '0000:5efe'),
  isatap(0x0200_5efen, '0200:5efe'),
  {
    name: 'Teredo client',
    source: 'RFC 4380 section 4',
    nat64Prefix: null,
    embed: (ipv4, filler) =>
      text(start('2001::/32') | (0x4136_e378n << 64n) | ((filler & 0xffffn) << 32n) | (ipv4 ^ 0xffff_ffffn)),
  },
  {
    name: 'Teredo server',
    source: 'RFC 4380 section 4',
    nat64Prefix: null,
    embed: (ipv4, filler) => text(start('2001::/32') | (ipv4 << 64n) | (filler & ((1n << 64n) - 1n))),
  },
  { name: 'IPv4-compatible', source: 'RFC 4291 section 2.5.5.1', nat64Prefix: null, embed: low('::/96') },
  { name: 'IPv4-mapped', source: 'RFC 4291 section 2.5.5.2', nat64Prefix: null, embed: low('::ffff:0:0/96') },
  { name: 'SIIT', source: 'RFC 7915, RFC 2765', nat64Prefix: null, embed: low('::ffff:0:0:0/96') },
  {
    name: '6to4 of a public IPv4 with an ISATAP identifier',
    source: 'RFC 3056, RFC 5214',
    nat64Prefix: null,
    embed: (ipv4) => text(start('2002::/16') | (0x0808_0808n << 80n) | (0x0000_5efen << 32n) | ipv4),
  },
];
