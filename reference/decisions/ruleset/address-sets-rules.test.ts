/** The address lists of a pod interval by interval, as findings.md F1 has them, and their arithmetic. */
import { describe, expect, test } from 'vitest';
import type { PodNetwork } from '#reference/contract/datapath.ts';
import { parsePrefix } from '../pin-address/ip-address.ts';
import { complement, elementsOf, intervalOf, intervalsOf, merged } from './address-sets.ts';
import { printed } from './printed-samples.ts';
import { openPod } from './ruleset.ts';

const plain: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  masqueradePorts: [61_000, 65_000],
  maxPins: 256,
};
const operated = {
  denyCIDRs: ['10.96.0.0/12', 'fd00:10:96::/112'],
  pinPrivateCIDRs: ['10.20.0.0/16'],
};

/** The elements of a set, as the pod's transaction has them. */
function elementsIn(set: string, change: Partial<PodNetwork>): string[] {
  const line = `add element inet mitos ${set} | `;
  return printed(openPod({ ...plain, ...change }))
    .filter((command) => command.startsWith(line))
    .flatMap((command) => command.slice(line.length).split(', '));
}

const words = (text: string) => text.trim().split(/\s+/);

describe('intervals', () => {
  const of = (...pairs: [number, number][]) =>
    pairs.map(([first, last]) => ({ first: BigInt(first), last: BigInt(last) }));

  test('of a prefix always go from its first address to its last', () => {
    const ends = (text: string) => intervalOf(parsePrefix(text, 'test'));
    expect(ends('10.16.0.0/12')).toEqual({ first: 0x0a100000n, last: 0x0a1fffffn });
    expect(ends('10.0.0.1/32')).toEqual({ first: 0x0a000001n, last: 0x0a000001n });
    expect(ends('::/0')).toEqual({ first: 0n, last: 2n ** 128n - 1n });
    expect(ends('fd00::/8')).toEqual({ first: 0xfdn << 120n, last: (0xfen << 120n) - 1n });
  });

  test('are always joined when they overlap or touch, and never across a gap', () => {
    expect(merged(of([7, 9], [1, 3]))).toEqual(of([1, 3], [7, 9]));
    expect(merged(of([1, 3], [4, 6]))).toEqual(of([1, 6]));
    expect(merged(of([1, 3], [5, 6]))).toEqual(of([1, 3], [5, 6]));
    expect(merged(of([1, 5], [3, 8]))).toEqual(of([1, 8]));
    expect(merged(of([1, 9], [3, 5]))).toEqual(of([1, 9]));
    expect(merged(of([3, 3], [2, 2], [9, 9], [1, 1]))).toEqual(of([1, 3], [9, 9]));
    expect(merged([])).toEqual([]);
  });

  test('and their complement always make the whole', () => {
    const end = 2 ** 32 - 1;
    expect(complement([], 'ipv4')).toEqual(of([0, end]));
    expect(complement(of([0, end]), 'ipv4')).toEqual([]);
    expect(complement(of([0, 0]), 'ipv4')).toEqual(of([1, end]));
    expect(complement(of([0, end - 1]), 'ipv4')).toEqual(of([end, end]));
    expect(complement(of([8, 9], [5, 5]), 'ipv4')).toEqual(of([0, 4], [6, 7], [10, end]));
    expect(complement([], 'ipv6')).toEqual([{ first: 0n, last: 2n ** 128n - 1n }]);
  });

  test('are always elements in canonical text: an address alone, or a range', () => {
    expect(elementsOf(of([0x0a000001, 0x0a000001], [3, 4], [5, 5]), 'ipv4')).toEqual([
      { range: ['0.0.0.3', '0.0.0.5'] },
      '10.0.0.1',
    ]);
    expect(elementsOf(of([0x10000, 0x1ffff]), 'ipv6')).toEqual([{ range: ['::1:0', '::1:ffff'] }]);
  });
});

describe('IPv4', () => {
  test('never: loopback, link-local, multicast, clouds, and what the operator denies', () => {
    expect(elementsIn('never-ipv4', operated)).toEqual(
      words(`
        10.96.0.0-10.111.255.255 100.100.100.200 127.0.0.0-127.255.255.255 168.63.129.16
        169.254.0.0-169.254.255.255 192.0.0.192 224.0.0.0-239.255.255.255`),
    );
  });

  test('unpinnable: all that is never or private, but for what the operator lets be pinned', () => {
    expect(elementsIn('unpinnable-ipv4', operated)).toEqual(
      words(`
        0.0.0.0-0.255.255.255 10.0.0.0-10.19.255.255 10.21.0.0-10.255.255.255 100.64.0.0-100.127.255.255
        127.0.0.0-127.255.255.255 168.63.129.16 169.254.0.0-169.254.255.255 172.16.0.0-172.31.255.255
        192.0.0.0-192.0.0.255 192.0.2.0-192.0.2.255 192.31.196.0-192.31.196.255 192.52.193.0-192.52.193.255
        192.88.99.0-192.88.99.255 192.168.0.0-192.168.255.255 192.175.48.0-192.175.48.255
        198.18.0.0-198.19.255.255 198.51.100.0-198.51.100.255 203.0.113.0-203.0.113.255
        224.0.0.0-255.255.255.255`),
    );
  });

  test('unpinnable: what is denied is never pinned, whatever the operator lets be', () => {
    const all = { ...operated, pinPrivateCIDRs: ['0.0.0.0/0'] };
    expect(elementsIn('unpinnable-ipv4', all)).toEqual(elementsIn('never-ipv4', operated));
  });

  test('unicast: neither unspecified, loopback, multicast nor reserved', () => {
    expect(elementsIn('unicast-ipv4', {})).toEqual(
      words('1.0.0.0-126.255.255.255 128.0.0.0-223.255.255.255'),
    );
  });
});

describe('IPv6', () => {
  const end = 'ffff:ffff:ffff:ffff';

  test('never: the same of IPv6, and all mapped addresses, every IPv4 of the list inside NAT64 and 6to4', () => {
    expect(elementsIn('never-ipv6', operated)).toEqual(
      words(`
        ::1 ::ffff:0:0-::ffff:ffff:ffff
        64:ff9b::a60:0-64:ff9b::a6f:ffff 64:ff9b::6464:64c8 64:ff9b::7f00:0-64:ff9b::7fff:ffff
        64:ff9b::a83f:8110 64:ff9b::a9fe:0-64:ff9b::a9fe:ffff 64:ff9b::c000:c0
        64:ff9b::e000:0-64:ff9b::efff:ffff
        2002:a60::-2002:a6f:ffff:ffff:${end} 2002:6464:64c8::-2002:6464:64c8:ffff:${end}
        2002:7f00::-2002:7fff:ffff:ffff:${end} 2002:a83f:8110::-2002:a83f:8110:ffff:${end}
        2002:a9fe::-2002:a9fe:ffff:ffff:${end} 2002:c000:c0::-2002:c000:c0:ffff:${end}
        2002:e000::-2002:efff:ffff:ffff:${end}
        fd00:10:96::-fd00:10:96::ffff fd00:42::42 fd00:ec2::23 fd00:ec2::123 fd00:ec2::253-fd00:ec2::254
        fd20:ce::254 fe80::-febf:ffff:ffff:ffff:${end} ff00::-ffff:ffff:ffff:ffff:${end}`),
    );
  });

  test('unpinnable: outside 2000::/3 all but NAT64 of an IPv4 that may be pinned; in it the registry', () => {
    expect(elementsIn('unpinnable-ipv6', operated)).toEqual(
      words(`
        ::-64:ff9b::ff:ffff
        64:ff9b::a00:0-64:ff9b::a13:ffff 64:ff9b::a15:0-64:ff9b::aff:ffff 64:ff9b::6440:0-64:ff9b::647f:ffff
        64:ff9b::7f00:0-64:ff9b::7fff:ffff 64:ff9b::a83f:8110 64:ff9b::a9fe:0-64:ff9b::a9fe:ffff
        64:ff9b::ac10:0-64:ff9b::ac1f:ffff 64:ff9b::c000:0-64:ff9b::c000:ff
        64:ff9b::c000:200-64:ff9b::c000:2ff 64:ff9b::c01f:c400-64:ff9b::c01f:c4ff
        64:ff9b::c034:c100-64:ff9b::c034:c1ff 64:ff9b::c058:6300-64:ff9b::c058:63ff
        64:ff9b::c0a8:0-64:ff9b::c0a8:ffff 64:ff9b::c0af:3000-64:ff9b::c0af:30ff
        64:ff9b::c612:0-64:ff9b::c613:ffff 64:ff9b::c633:6400-64:ff9b::c633:64ff
        64:ff9b::cb00:7100-64:ff9b::cb00:71ff
        64:ff9b::e000:0-1fff:ffff:ffff:ffff:${end}
        2001::-2001:1ff:ffff:ffff:${end} 2001:db8::-2001:db8:ffff:ffff:${end}
        2002::-2002:ff:ffff:ffff:${end} 2002:a00::-2002:a13:ffff:ffff:${end}
        2002:a15::-2002:aff:ffff:ffff:${end} 2002:6440::-2002:647f:ffff:ffff:${end}
        2002:7f00::-2002:7fff:ffff:ffff:${end} 2002:a83f:8110::-2002:a83f:8110:ffff:${end}
        2002:a9fe::-2002:a9fe:ffff:ffff:${end} 2002:ac10::-2002:ac1f:ffff:ffff:${end}
        2002:c000::-2002:c000:ff:ffff:${end} 2002:c000:200::-2002:c000:2ff:ffff:${end}
        2002:c01f:c400::-2002:c01f:c4ff:ffff:${end} 2002:c034:c100::-2002:c034:c1ff:ffff:${end}
        2002:c058:6300::-2002:c058:63ff:ffff:${end} 2002:c0a8::-2002:c0a8:ffff:ffff:${end}
        2002:c0af:3000::-2002:c0af:30ff:ffff:${end} 2002:c612::-2002:c613:ffff:ffff:${end}
        2002:c633:6400::-2002:c633:64ff:ffff:${end} 2002:cb00:7100::-2002:cb00:71ff:ffff:${end}
        2002:e000::-2002:ffff:ffff:ffff:${end}
        2620:4f:8000::-2620:4f:8000:ffff:${end} 3fff::-3fff:fff:ffff:ffff:${end}
        4000::-ffff:ffff:ffff:ffff:${end}`),
    );
  });

  test('unicast: neither unspecified, loopback nor multicast', () => {
    expect(elementsIn('unicast-ipv6', {})).toEqual([`::2-feff:ffff:ffff:ffff:${end}`]);
  });

  // RFC 6052 section 2.2: the octet at bits 64 to 71 stands between the octets of the IPv4, and is zero.
  test.each([
    ['2a00:6464::/32', `2a00:6464:a83f:8110::-2a00:6464:a83f:8110:${end}`],
    ['2a00:6464:6400::/40', '2a00:6464:64a8:3f81:10::-2a00:6464:64a8:3f81:10:ffff:ffff:ffff'],
    ['2a00:6464:6464::/48', '2a00:6464:6464:a83f:81:1000::-2a00:6464:6464:a83f:81:10ff:ffff:ffff'],
    ['2a00:6464:6464:6400::/56', '2a00:6464:6464:64a8:3f:8110::-2a00:6464:6464:64a8:3f:8110:ffff:ffff'],
    ['2a00:6464:6464:6464::/64', '2a00:6464:6464:6464:a8:3f81:1000:0-2a00:6464:6464:6464:a8:3f81:10ff:ffff'],
    ['2a00:6464:6464:6464:0:6464::/96', '2a00:6464:6464:6464:0:6464:a83f:8110'],
  ])('never: 168.63.129.16 inside the NAT64 prefix %s', (prefix, interval) => {
    expect(elementsIn('never-ipv6', { nat64Prefixes: [prefix] })).toContain(interval);
    expect(elementsIn('unpinnable-ipv6', { nat64Prefixes: [prefix] })).toContain(interval);
    expect(elementsIn('never-ipv6', {})).not.toContain(interval);
  });

  test('unpinnable: a NAT64 prefix in a private range opens it for the IPv4 that may be pinned', () => {
    const inside = { nat64Prefixes: ['2001:db8:64::/96'], pinPrivateCIDRs: ['0.0.0.0/0'] };
    const elements = elementsIn('unpinnable-ipv6', inside);
    expect(elements.filter((element) => element.startsWith('2001:db8:'))).toEqual(
      words(`
        2001:db8::-2001:db8:63:ffff:${end} 2001:db8:64::6464:64c8 2001:db8:64::7f00:0-2001:db8:64::7fff:ffff
        2001:db8:64::a83f:8110 2001:db8:64::a9fe:0-2001:db8:64::a9fe:ffff 2001:db8:64::c000:c0
        2001:db8:64::e000:0-2001:db8:64::efff:ffff 2001:db8:64::1:0:0-2001:db8:ffff:ffff:${end}`),
    );
  });

  test('unpinnable: a private range is open where the operator lets pins be', () => {
    const elements = elementsIn('unpinnable-ipv6', { pinPrivateCIDRs: ['fd00:1::/32'] });
    expect(elements.slice(-2)).toEqual([
      `4000::-fd00:0:ffff:ffff:${end}`,
      `fd00:2::-ffff:ffff:ffff:ffff:${end}`,
    ]);
  });
});

test('a list names the field of a prefix that is none', () => {
  const refusal = (change: Partial<PodNetwork>) => () =>
    intervalsOf('unpinnable', 'ipv6', { ...plain, ...change });
  expect(refusal({ denyCIDRs: ['10.0.0.1/8'] })).toThrow('denyCIDRs: "10.0.0.1/8" has host bits set');
  expect(refusal({ pinPrivateCIDRs: ['fd00::1/8'] })).toThrow(
    'pinPrivateCIDRs: "fd00::1/8" has host bits set',
  );
  expect(refusal({ nat64Prefixes: ['64:ff9b::1/96'] })).toThrow(
    'nat64Prefixes: "64:ff9b::1/96" has host bits set',
  );
});
