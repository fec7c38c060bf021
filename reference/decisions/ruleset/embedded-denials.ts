/**
 * IPv6 destinations that carry an IPv4 of a list where no interval says so: bits 64 to 71 under a NAT64 prefix
 * (RFC 6052 section 2.2), and ISATAP (RFC 5214). Each is a rule that drops.
 */
import type { PodNetwork } from '#reference/contract/datapath.ts';
import { numberList } from './address-sets.ts';
import { drop, match, meta, payload, prefix, raw, type Statement } from './nft-json.ts';

export interface Denial {
  readonly why: string;
  readonly statements: readonly Statement[];
}

/** First bit of the destination in the IPv6 header. */
const destinationAt = 24 * 8;
const destinationBits = (first: number, length: number) => raw('nh', destinationAt + first, length);

export function embeddedDenials(list: 'never' | 'unpinnable', pod: PodNetwork): Denial[] {
  // Whoever checks a policy has read them as prefixes.
  const split = pod.nat64Prefixes.map((text) => text.split('/') as [string, string]);
  const spanning = split.filter(([, length]) => Number(length) < 96);
  return [
    ...spanning.map(([addr, length]) => ({
      why: 'nat64-u-octet',
      statements: [
        match(payload('ip6', 'daddr'), prefix(addr, Number(length))),
        match(destinationBits(64, 8), 0, '!='),
        drop,
      ],
    })),
    isatapDenial(list, pod),
  ];
}

/** Interface identifier 0000:5efe or 0200:5efe, and then an IPv4 of the list. */
function isatapDenial(list: 'never' | 'unpinnable', pod: PodNetwork): Denial {
  return {
    why: `${list}, inside ISATAP`,
    statements: [
      match(meta('nfproto'), 'ipv6'),
      match({ '&': [destinationBits(64, 32), 0xfdffffff] }, 0x00005efe),
      match(destinationBits(96, 32), numberList(list, pod)),
      drop,
    ],
  };
}
