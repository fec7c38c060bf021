/** The lists entry by entry: each holds from its first address to its last, by its own rule, and no further. */
import { describe, expect, test } from 'vitest';
import { cloudTable } from './cloud-table.ts';
import { formatAddress, parseAddress, parsePrefix } from './ip-address.ts';
import { type AddressPolicy, compileAddressPolicy } from './pin-address.ts';

const empty: AddressPolicy = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
const decideBy = (policy: AddressPolicy) => {
  const compiled = compileAddressPolicy(policy);
  return (text: string) => {
    const bytes = parseAddress(text);
    if (bytes === null) throw new Error(`no address: ${text}`);
    return compiled.decide(bytes, 0, bytes.length === 4 ? 4 : 16);
  };
};
const decide = decideBy(empty);
const decidePrivate = decideBy({ ...empty, pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] });

/** findings.md F1, reference (5) and (6): what beats everything, and its rule. */
const never: readonly (readonly [prefix: string, rule: string])[] = [
  ['127.0.0.0/8', 'loopback (RFC 1122)'],
  ['169.254.0.0/16', 'link-local (RFC 3927)'],
  ['224.0.0.0/4', 'multicast (RFC 5771)'],
  ['::1/128', 'loopback (RFC 4291)'],
  ['fe80::/10', 'link-local (RFC 4291)'],
  ['ff00::/8', 'multicast (RFC 4291)'],
  ['169.254.169.254/32', 'cloud aws: instance metadata'],
  ['169.254.169.253/32', 'cloud aws: VPC resolver'],
  ['169.254.169.123/32', 'cloud aws: time'],
  ['169.254.170.2/32', 'cloud aws: ECS task credentials'],
  ['169.254.170.23/32', 'cloud aws: EKS pod identity'],
  ['fd00:ec2::254/128', 'cloud aws: instance metadata'],
  ['fd00:ec2::253/128', 'cloud aws: VPC resolver'],
  ['fd00:ec2::123/128', 'cloud aws: time'],
  ['fd00:ec2::23/128', 'cloud aws: EKS pod identity'],
  ['fd20:ce::254/128', 'cloud gcp: metadata server'],
  ['168.63.129.16/32', 'cloud azure: wire server'],
  ['192.0.0.192/32', 'cloud oracle: instance metadata, classic'],
  ['100.100.100.200/32', 'cloud alibaba: instance metadata'],
  ['169.254.0.23/32', 'cloud tencent: instance metadata'],
  ['169.254.42.42/32', 'cloud scaleway: instance metadata'],
  ['fd00:42::42/128', 'cloud scaleway: instance metadata'],
  ['fe80::a9fe:a9fe/128', 'cloud openstack: metadata service'],
];

/** … and what yields to a CIDR of the operator. */
const privateUse: readonly (readonly [prefix: string, rule: string])[] = [
  ['0.0.0.0/8', 'this network (RFC 791)'],
  ['10.0.0.0/8', 'private use (RFC 1918)'],
  ['100.64.0.0/10', 'shared address space (RFC 6598)'],
  ['172.16.0.0/12', 'private use (RFC 1918)'],
  ['192.0.0.0/24', 'IETF protocol assignments (RFC 6890)'],
  ['192.0.2.0/24', 'documentation (RFC 5737)'],
  ['192.31.196.0/24', 'AS112 (RFC 7535)'],
  ['192.52.193.0/24', 'AMT (RFC 7450)'],
  ['192.88.99.0/24', '6to4 relay anycast (RFC 7526)'],
  ['192.168.0.0/16', 'private use (RFC 1918)'],
  ['192.175.48.0/24', 'AS112 (RFC 7534)'],
  ['198.18.0.0/15', 'benchmarking (RFC 2544)'],
  ['198.51.100.0/24', 'documentation (RFC 5737)'],
  ['203.0.113.0/24', 'documentation (RFC 5737)'],
  ['240.0.0.0/4', 'reserved (RFC 1112)'],
  ['2001::/23', 'IETF protocol assignments (RFC 2928)'],
  ['2001:db8::/32', 'documentation (RFC 3849)'],
  ['2620:4f:8000::/48', 'AS112 (RFC 7534)'],
  ['3fff::/20', 'documentation (RFC 9637)'],
  // Outside 2000::/3, the parts that no other list and no decoder holds.
  ['100::/8', 'outside 2000::/3'],
  ['1fff::/16', 'outside 2000::/3'],
  ['4000::/2', 'outside 2000::/3'],
  ['fec0::/10', 'outside 2000::/3'],
];

/** First and last address, and their neighbours outside, where there are any. */
function edgesOf(text: string): { inside: string[]; outside: string[] } {
  const { bytes, length } = parsePrefix(text, 'the test');
  const bits = BigInt(bytes.length * 8);
  const first = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  const last = first + (1n << (bits - BigInt(length))) - 1n;
  const written = (value: bigint) =>
    formatAddress(Uint8Array.from(Buffer.from(value.toString(16).padStart(bytes.length * 2, '0'), 'hex')));
  const outside = [first - 1n, last + 1n].filter((value) => value >= 0n && value < 1n << bits);
  return { inside: [written(first), written(last)], outside: outside.map(written) };
}

describe('the never list', () => {
  test.each(never)('always refuses %s from end to end, whatever the operator opens: %s', (prefix, rule) => {
    const { inside, outside } = edgesOf(prefix);
    for (const address of inside) {
      expect(decide(address)).toMatchObject({ pin: false, rule });
      expect(decidePrivate(address)).toMatchObject({ pin: false, rule });
    }
    for (const address of outside) expect(decide(address).rule).not.toBe(rule);
  });

  test('always says where a cloud documents its address', () => {
    const silent = cloudTable.filter(({ source }) => !/^[A-Z]\w+ .*\w/.test(source));
    expect(silent.map(({ prefix }) => prefix)).toEqual([]);
  });
});

describe('the private list', () => {
  test.each(privateUse)(
    'always refuses %s from end to end, until the operator opens it: %s',
    (prefix, rule) => {
      const { inside, outside } = edgesOf(prefix);
      for (const address of inside) {
        expect(decide(address)).toMatchObject({ pin: false, rule });
        expect(decidePrivate(address)).toMatchObject({ pin: true, rule: 'pinPrivateCIDRs' });
      }
      if (rule === 'outside 2000::/3') return;
      for (const address of outside) expect(decide(address).rule).not.toBe(rule);
    },
  );

  test.each(['1.1.1.1', '9.9.9.9', '223.255.255.255', '2000::', '2606:4700::1111', '3fff:ffff::'])(
    'never holds the public address %s',
    (address) => {
      expect(decide(address)).toMatchObject({ pin: true, rule: 'public' });
      expect(decidePrivate(address)).toMatchObject({ pin: true, rule: 'public' });
    },
  );
});
