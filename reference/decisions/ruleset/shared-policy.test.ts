/**
 * DNS policy and ruleset are one: an address is denied by `unpinnable` (with the rules for ISATAP and for bits
 * 64 to 71) exactly when pin-address refuses it, at every boundary of every list and at random places.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AddressFamily, PodNetwork } from '#reference/contract/datapath.ts';
import { formatAddress, parsePrefix } from '../pin-address/ip-address.ts';
import { compileAddressPolicy } from '../pin-address/pin-address.ts';
import { type Interval, intervalOf, intervalsOf } from './address-sets.ts';
import { samplePod } from './ruleset-samples.ts';

const octetsOf = { ipv4: 4, ipv6: 16 } as const;

function bytesOf(value: bigint, family: AddressFamily): Uint8Array {
  const octets = octetsOf[family];
  return Uint8Array.from({ length: octets }, (_, at) =>
    Number((value >> BigInt(8 * (octets - 1 - at))) & 0xffn),
  );
}

/** By halving: the lists are sorted and disjoint. */
function isIn(value: bigint, intervals: readonly Interval[]): boolean {
  let [low, high] = [0, intervals.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const { first, last } = intervals[middle] as Interval;
    if (value < first) high = middle - 1;
    else if (value > last) low = middle + 1;
    else return true;
  }
  return false;
}

const isMapped = (value: bigint) => value >> 32n === 0xffffn;
const isatapOf = (value: bigint) => (((value >> 32n) & 0xfdffffffn) === 0x5efen ? value & 0xffffffffn : null);

/** What the chain of an IPv6 list says: its intervals, bits 64 to 71, ISATAP. */
function denied(value: bigint, list: 'never' | 'unpinnable', pod: PodNetwork, lists: Lists): boolean {
  if (isIn(value, lists[list])) return true;
  const split = pod.nat64Prefixes
    .map((text) => parsePrefix(text, 'test'))
    .filter(({ length }) => length < 96);
  const isInSplit = split.some((prefix) => isIn(value, [intervalOf(prefix)]));
  if (isInSplit && ((value >> 56n) & 0xffn) !== 0n) return true;
  const inner = isatapOf(value);
  return inner !== null && isIn(inner, lists.inner[list]);
}

interface Lists {
  readonly never: Interval[];
  readonly unpinnable: Interval[];
  readonly inner: { readonly never: Interval[]; readonly unpinnable: Interval[] };
}

function listsOf(pod: PodNetwork, family: AddressFamily): Lists {
  const inner = {
    never: intervalsOf('never', 'ipv4', pod),
    unpinnable: intervalsOf('unpinnable', 'ipv4', pod),
  };
  return {
    never: intervalsOf('never', family, pod),
    unpinnable: intervalsOf('unpinnable', family, pod),
    inner,
  };
}

function compare(
  pod: PodNetwork,
  family: AddressFamily,
  values: Iterable<bigint>,
): { differing: string[]; count: number } {
  const lists = listsOf(pod, family);
  const policy = compileAddressPolicy(pod);
  const differing: string[] = [];
  let count = 0;
  for (const value of values) {
    // Pinned as its IPv4: a mapped address is no place in IPv6, and stays denied there.
    if (family === 'ipv6' && isMapped(value)) continue;
    count += 1;
    const bytes = bytesOf(value, family);
    const { pin, rule } = policy.decide(bytes, 0, octetsOf[family]);
    const isDenied =
      family === 'ipv4'
        ? isIn(value, lists.unpinnable)
        : denied(value, 'never', pod, lists) || denied(value, 'unpinnable', pod, lists);
    if (pin === isDenied && differing.length < 20)
      differing.push(`${formatAddress(bytes)} pin ${pin} (${rule})`);
  }
  return { differing, count };
}

/** First, last and their neighbours, and with them every place where a verdict could change. */
function boundaries(intervals: readonly Interval[], family: AddressFamily): Set<bigint> {
  const end = (1n << BigInt(octetsOf[family] * 8)) - 1n;
  const found = new Set<bigint>([0n, end]);
  for (const { first, last } of intervals)
    for (const value of [first - 1n, first, first + 1n, last - 1n, last, last + 1n])
      if (value >= 0n && value <= end) found.add(value);
  return found;
}

const embeddings = [32, 40, 48, 56, 64, 96] as const;

/** RFC 6052 section 2.2, by octets: an oracle apart from the arithmetic of `address-sets.ts`. */
function embed(prefix: Uint8Array, length: number, inner: Uint8Array, suffix: number, u: number): bigint {
  const bytes = new Uint8Array(16).fill(suffix);
  bytes.set(prefix.subarray(0, length / 8));
  let at = length / 8;
  for (const octet of inner) {
    if (at === 8 && length < 96) at += 1;
    bytes[at] = octet;
    at += 1;
  }
  if (length < 96) bytes[8] = u;
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const prefixOf = (length: number) => {
  const bytes = Uint8Array.from([0x20, 0x01, 0x0d, 0x00, 0x64, 0x64, 0x64, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (length >= 64) bytes[7] = 0x64;
  return bytes.fill(0, length / 8);
};

const pods: PodNetwork[] = [
  { ...samplePod, denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] },
  samplePod,
  { ...samplePod, nat64Prefixes: ['64:ff9b:1::/48', '2a00:1234::/32', '2a00:1234::/40'] },
  { ...samplePod, pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] },
  { ...samplePod, denyCIDRs: ['0.0.0.0/1', '2000::/4', '64:ff9b::/96'] },
  ...embeddings.map((length) => ({
    ...samplePod,
    nat64Prefixes: [`${formatAddress(prefixOf(length))}/${length}`],
  })),
];

test('the whole of IPv4: the boundaries of lists and prefixes are all that can differ', () => {
  for (const pod of pods) {
    const listed = [...intervalsOf('unpinnable', 'ipv4', pod), ...intervalsOf('never', 'ipv4', pod)];
    const values = boundaries(listed, 'ipv4');
    // Every /16 too: a list with a hole would show.
    for (let high = 0n; high < 65_536n; high++) values.add((high << 16n) | 0x0102n);
    const { differing, count } = compare(pod, 'ipv4', values);
    expect(differing, JSON.stringify(pod)).toEqual([]);
    expect(count).toBeGreaterThan(65_000);
  }
});

test('IPv6: at every boundary of every interval', () => {
  for (const pod of pods) {
    const listed = [...intervalsOf('unpinnable', 'ipv6', pod), ...intervalsOf('never', 'ipv6', pod)];
    const { differing, count } = compare(pod, 'ipv6', boundaries(listed, 'ipv6'));
    expect(differing, JSON.stringify(pod)).toEqual([]);
    expect(count).toBeGreaterThan(40);
  }
});

test('IPv6: every boundary of the IPv4 lists inside every kind of embedding, with every u-octet that matters', () => {
  for (const pod of pods) {
    const inner = boundaries(intervalsOf('unpinnable', 'ipv4', pod), 'ipv4');
    const values: bigint[] = [];
    for (const text of ['64:ff9b::/96', ...pod.nat64Prefixes]) {
      const { bytes, length } = parsePrefix(text, 'test');
      for (const address of inner)
        for (const suffix of [0, 1, 255])
          for (const u of [0, 1, 255]) values.push(embed(bytes, length, bytesOf(address, 'ipv4'), suffix, u));
    }
    for (const address of inner) {
      values.push((0x2002n << 112n) | (address << 80n), (0x2002n << 112n) | (address << 80n) | 0xffffn);
      for (const identifier of [0x00005efen, 0x02005efen, 0x01005efen])
        values.push((0x2a001450n << 96n) | (identifier << 32n) | address);
    }
    const { differing, count } = compare(pod, 'ipv6', values);
    expect(differing, JSON.stringify(pod)).toEqual([]);
    expect(count).toBeGreaterThan(500);
  }
});

test('random addresses under random policies', () => {
  const cidr4 = fc
    .tuple(fc.nat({ max: 0xffffffff }), fc.integer({ min: 1, max: 32 }))
    .map(([value, length]) => {
      const bits = BigInt(32 - length);
      return `${formatAddress(bytesOf((BigInt(value) >> bits) << bits, 'ipv4'))}/${length}`;
    });
  const cidr6 = fc
    .tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.integer({ min: 1, max: 128 }))
    .map(([value, length]) => {
      const bits = BigInt(128 - length);
      return `${formatAddress(bytesOf((value >> bits) << bits, 'ipv6'))}/${length}`;
    });
  const nat64 = fc
    .tuple(fc.constantFrom(...embeddings), fc.uint8Array({ minLength: 12, maxLength: 12 }))
    .map(([length, random]) => {
      const bytes = new Uint8Array(16);
      bytes.set(random);
      bytes[0] = 0x2a;
      bytes[8] = 0;
      return `${formatAddress(bytes.fill(0, length / 8))}/${length}`;
    });
  const podOf = fc.record({
    denyCIDRs: fc.array(fc.oneof(cidr4, cidr6), { maxLength: 4 }),
    nat64Prefixes: fc.array(nat64, { maxLength: 3 }),
    pinPrivateCIDRs: fc.array(fc.oneof(cidr4, cidr6), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(podOf, (policy) => {
      const pod = { ...samplePod, ...policy };
      const listed = intervalsOf('unpinnable', 'ipv6', pod);
      const values = boundaries(listed, 'ipv6');
      const inner = boundaries(intervalsOf('unpinnable', 'ipv4', pod), 'ipv4');
      for (const text of pod.nat64Prefixes) {
        const { bytes, length } = parsePrefix(text, 'test');
        for (const address of inner)
          values.add(embed(bytes, length, bytesOf(address, 'ipv4'), randomBytes(1)[0] ?? 0, 0));
      }
      for (let index = 0; index < 50; index++)
        values.add(randomBytes(16).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
      expect(compare(pod, 'ipv6', values).differing).toEqual([]);
      expect(compare(pod, 'ipv4', inner).differing).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
