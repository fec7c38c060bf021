/**
 * The NAT64 prefixes that a network uses, from its AAAA answers for `ipv4only.arpa` (RFC 7050 section 3):
 * pure, the question is asked by whoever has the socket.
 */
import { formatAddress } from './ip-address.ts';

/** RFC 7050 section 2.2: the two IPv4 addresses of ipv4only.arpa. */
const wellKnownIpv4 = [0xc0_00_00_aa, 0xc0_00_00_ab];

/** Octets of the IPv4 under each prefix length (RFC 6052 section 2.2). */
const layouts: readonly (readonly [lengthBits: number, octets: readonly [number, number, number, number]])[] =
  [
    [96, [12, 13, 14, 15]],
    [64, [9, 10, 11, 12]],
    [56, [7, 9, 10, 11]],
    [48, [6, 7, 9, 10]],
    [40, [5, 6, 7, 9]],
    [32, [4, 5, 6, 7]],
  ];

/**
 * Prefixes `address/length` that the answers show, each once; an answer without the well-known IPv4 in any
 * place shows none. An answer in which it stands in two places is ambiguous: both count, so that a policy
 * decodes by both.
 * @param answers AAAA octets, 16 each
 */
export function discoverNat64Prefixes(answers: readonly Uint8Array[]): string[] {
  const found = new Set<string>();
  for (const address of answers) {
    if (address.length !== 16) continue;
    for (const [lengthBits, [a, b, c, d]] of layouts) {
      // Bits 64 to 71 are zero in every layout but /96, where they belong to the prefix and are zero all
      // the same.
      if (address[8] !== 0) continue;
      const octet = (at: number) => address[at] as number;
      const ipv4 = ((octet(a) << 24) | (octet(b) << 16) | (octet(c) << 8) | octet(d)) >>> 0;
      if (!wellKnownIpv4.includes(ipv4)) continue;
      const prefix = Uint8Array.from(address, (value, at) => (at < lengthBits / 8 ? value : 0));
      found.add(`${formatAddress(prefix)}/${lengthBits}`);
    }
  }
  return [...found];
}
