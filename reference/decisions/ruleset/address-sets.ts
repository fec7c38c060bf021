/**
 * The address lists as nft intervals: disjoint and merged, from the one source that pin-address reads.
 * Invariant: what a list denies as IPv4 it denies inside every embedding that is a prefix (NAT64, 6to4).
 */
import type { AddressFamily, PodNetwork } from '#reference/contract/datapath.ts';
import { globalUnicast, neverList, privateList } from '../pin-address/address-lists.ts';
import { formatAddress, type Prefix, parsePrefix } from '../pin-address/ip-address.ts';
import { type Json, range } from './nft-json.ts';

export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

const bitsOf = { ipv4: 32, ipv6: 128 } as const;

export function intervalOf({ bytes, length }: Prefix): Interval {
  const first = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { first, last: first + (1n << BigInt(bytes.length * 8 - length)) - 1n };
}

/** Sorted, overlapping and neighbouring intervals joined. */
export function merged(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.toSorted((a, b) => Number(a.first - b.first));
  const joined: Interval[] = [];
  for (const next of sorted) {
    const before = joined.at(-1);
    if (before === undefined || next.first > before.last + 1n) joined.push(next);
    else if (next.last > before.last) joined[joined.length - 1] = { ...before, last: next.last };
  }
  return joined;
}

/** Everything that is in none of the intervals. */
export function complement(intervals: readonly Interval[], family: AddressFamily): Interval[] {
  const end = (1n << BigInt(bitsOf[family])) - 1n;
  const rest: Interval[] = [];
  let at = 0n;
  for (const { first, last } of merged(intervals)) {
    if (first > at) rest.push({ first: at, last: first - 1n });
    at = last + 1n;
  }
  if (at <= end) rest.push({ first: at, last: end });
  return rest;
}

function textOf(value: bigint, family: AddressFamily): string {
  const octets = bitsOf[family] / 8;
  const bytes = Uint8Array.from({ length: octets }, (_, index) =>
    Number((value >> BigInt(8 * (octets - 1 - index))) & 0xffn),
  );
  return formatAddress(bytes);
}

/** As elements of an interval set. */
export function elementsOf(intervals: readonly Interval[], family: AddressFamily): Json[] {
  return merged(intervals).map(({ first, last }) =>
    first === last ? textOf(first, family) : range(textOf(first, family), textOf(last, family)),
  );
}

function listed(prefixes: readonly string[], family: AddressFamily, field = 'built in'): Interval[] {
  return prefixes
    .map((text) => parsePrefix(text, field))
    .filter(({ bytes }) => bytes.length * 8 === bitsOf[family])
    .map(intervalOf);
}

const prefixesOf = (list: readonly { readonly prefix: string }[]) => list.map(({ prefix }) => prefix);

/** To which a guest may send at all: neither unspecified, loopback, multicast nor reserved. */
const notUnicast = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/128', '::1/128', 'ff00::/8'];

export type AddressList = 'never' | 'unpinnable' | 'unicast';

/** `never` beats everything; `unpinnable` yields to an explicit CIDR of the template and to nothing else. */
export function addressList(list: AddressList, family: AddressFamily, pod: PodNetwork): Json[] {
  return elementsOf(intervalsOf(list, family, pod), family);
}

export function intervalsOf(list: AddressList, family: AddressFamily, pod: PodNetwork): Interval[] {
  return {
    never: () => (family === 'ipv4' ? never4(pod) : never6(pod)),
    unpinnable: () => (family === 'ipv4' ? unpinnable4(pod) : unpinnable6(pod)),
    unicast: () => complement(listed(notUnicast, family), family),
  }[list]();
}

/** The IPv4 list as integers: what octets inside an IPv6 address are compared with. */
export function numberList(list: 'never' | 'unpinnable', pod: PodNetwork): Json {
  const intervals = list === 'never' ? never4(pod) : unpinnable4(pod);
  return {
    set: intervals.map(({ first, last }) =>
      first === last ? Number(first) : range(Number(first), Number(last)),
    ),
  };
}

const neverOf = (pod: PodNetwork, family: AddressFamily) => [
  ...listed(prefixesOf(neverList), family),
  ...listed(pod.denyCIDRs, family, 'denyCIDRs'),
];
const never4 = (pod: PodNetwork) => merged(neverOf(pod, 'ipv4'));

/** IPv4-mapped: a form within hosts, never on the wire (RFC 4291 section 2.5.5.2; RFC 6890 says not forwardable). */
const mapped = '::ffff:0:0/96';

function never6(pod: PodNetwork): Interval[] {
  const inside = decodersOf(pod).flatMap((prefix) => embedded(prefix, never4(pod)));
  return merged([...neverOf(pod, 'ipv6'), ...listed([mapped], 'ipv6'), ...inside]);
}

/** The private list but for what the operator lets DNS answers be pinned in. */
const privateOf = (pod: PodNetwork, family: AddressFamily) =>
  without(
    [
      ...listed(prefixesOf(privateList), family),
      ...(family === 'ipv4' ? [] : complement(listed([globalUnicast], 'ipv6'), 'ipv6')),
    ],
    listed(pod.pinPrivateCIDRs, family, 'pinPrivateCIDRs'),
    family,
  );
const unpinnable4 = (pod: PodNetwork) => merged([...never4(pod), ...privateOf(pod, 'ipv4')]);

/** findings.md F1 (3) to (6): all decoders are evaluated, one block blocks; a NAT64 allow lifts the private list. */
function unpinnable6(pod: PodNetwork): Interval[] {
  const blocked = unpinnable4(pod);
  const allowed = complement(blocked, 'ipv4');
  const lifted = nat64Of(pod).flatMap((prefix) => embedded(prefix, allowed));
  return merged([
    ...never6(pod),
    ...decodersOf(pod).flatMap((prefix) => embedded(prefix, blocked)),
    ...without(privateOf(pod, 'ipv6'), lifted, 'ipv6'),
  ]);
}

function without(from: readonly Interval[], what: readonly Interval[], family: AddressFamily): Interval[] {
  return complement([...complement(from, family), ...what], family);
}

/** Prefixes that carry an IPv4. ISATAP is no prefix: it has a rule of its own. */
const decodersOf = (pod: PodNetwork) => [...nat64Of(pod), '2002::/16'];
const nat64Of = ({ nat64Prefixes }: PodNetwork) => ['64:ff9b::/96', ...nat64Prefixes];

/**
 * IPv4 intervals inside a prefix, every suffix included. Around bits 64 to 71 (RFC 6052 section 2.2) the
 * interval also covers addresses whose u-octet is not zero: those are denied by their own rule.
 */
function embedded(text: string, intervals: readonly Interval[]): Interval[] {
  const prefix = parsePrefix(text, 'nat64Prefixes');
  const { first: base } = intervalOf(prefix);
  const place = (address: bigint, suffix: 0n | 1n) => {
    let bits = '';
    for (const bit of address.toString(2).padStart(32, '0')) {
      if (prefix.length + bits.length === 64) bits += '00000000';
      bits += bit;
    }
    const rest = BigInt(128 - prefix.length - bits.length);
    return base | (BigInt(`0b${bits}`) << rest) | (suffix === 0n ? 0n : (1n << rest) - 1n);
  };
  return intervals.map(({ first, last }) => ({ first: place(first, 0n), last: place(last, 1n) }));
}
