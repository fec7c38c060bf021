/** The lists entry by entry: each holds from its first address to its last, by its own rule, and no further. */
import { describe, expect, test } from 'vitest';
import { cloudTable } from './cloud-table.ts';
import { parseAddress } from './ip-address.ts';
import { type AddressPolicy, compileAddressPolicy } from './pin-address.ts';

const empty: AddressPolicy = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
const everything: AddressPolicy = { ...empty, pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] };
const decideBy = (policy: AddressPolicy) => {
  const compiled = compileAddressPolicy(policy);
  return (text: string) => {
    const bytes = parseAddress(text);
    if (bytes === null) throw new Error(`no address: ${text}`);
    return compiled.decide(bytes, 0, bytes.length === 4 ? 4 : 16);
  };
};
const decide = decideBy(empty);
const decidePrivate = decideBy(everything);

/** findings.md F1, reference (5): first, last, the address before and after (a dash: none), the rule. */
const never = `
127.0.0.0        127.255.255.255 126.255.255.255 128.0.0.0      loopback (RFC 1122)
169.254.0.0      169.254.255.255 169.253.255.255 169.255.0.0    link-local (RFC 3927)
224.0.0.0        239.255.255.255 223.255.255.255 240.0.0.0      multicast (RFC 5771)
::1              ::1             ::              ::2            loopback (RFC 4291)
fe80::           febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0:: link-local (RFC 4291)
ff00::           ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - multicast (RFC 4291)
169.254.169.254  169.254.169.254 169.254.169.252 169.254.169.255 cloud aws: instance metadata
169.254.169.253  169.254.169.253 169.254.169.252 169.254.169.255 cloud aws: VPC resolver
169.254.169.123  169.254.169.123 169.254.169.122 169.254.169.124 cloud aws: time
169.254.170.2    169.254.170.2   169.254.170.1   169.254.170.3  cloud aws: ECS task credentials
169.254.170.23   169.254.170.23  169.254.170.22  169.254.170.24 cloud aws: EKS pod identity
fd00:ec2::254    fd00:ec2::254   fd00:ec2::252   fd00:ec2::255  cloud aws: instance metadata
fd00:ec2::253    fd00:ec2::253   fd00:ec2::252   fd00:ec2::255  cloud aws: VPC resolver
fd00:ec2::123    fd00:ec2::123   fd00:ec2::122   fd00:ec2::124  cloud aws: time
fd00:ec2::23     fd00:ec2::23    fd00:ec2::22    fd00:ec2::24   cloud aws: EKS pod identity
fd20:ce::254     fd20:ce::254    fd20:ce::253    fd20:ce::255   cloud gcp: metadata server
168.63.129.16    168.63.129.16   168.63.129.15   168.63.129.17  cloud azure: wire server
192.0.0.192      192.0.0.192     192.0.0.191     192.0.0.193    cloud oracle: instance metadata, classic
100.100.100.200  100.100.100.200 100.100.100.199 100.100.100.201 cloud alibaba: instance metadata
169.254.0.23     169.254.0.23    169.254.0.22    169.254.0.24   cloud tencent: instance metadata
169.254.42.42    169.254.42.42   169.254.42.41   169.254.42.43  cloud scaleway: instance metadata
fd00:42::42      fd00:42::42     fd00:42::41     fd00:42::43    cloud scaleway: instance metadata
fe80::a9fe:a9fe  fe80::a9fe:a9fe fe80::a9fe:a9fd fe80::a9fe:a9ff cloud openstack: metadata service`;

/** findings.md F1, reference (6), in the same form. */
const privateUse = `
0.0.0.0          0.255.255.255   -               1.0.0.0        this network (RFC 791)
10.0.0.0         10.255.255.255  9.255.255.255   11.0.0.0       private use (RFC 1918)
100.64.0.0       100.127.255.255 100.63.255.255  100.128.0.0    shared address space (RFC 6598)
172.16.0.0       172.31.255.255  172.15.255.255  172.32.0.0     private use (RFC 1918)
192.0.0.0        192.0.0.255     191.255.255.255 192.0.1.0      IETF protocol assignments (RFC 6890)
192.0.2.0        192.0.2.255     192.0.1.255     192.0.3.0      documentation (RFC 5737)
192.31.196.0     192.31.196.255  192.31.195.255  192.31.197.0   AS112 (RFC 7535)
192.52.193.0     192.52.193.255  192.52.192.255  192.52.194.0   AMT (RFC 7450)
192.88.99.0      192.88.99.255   192.88.98.255   192.88.100.0   6to4 relay anycast (RFC 7526)
192.168.0.0      192.168.255.255 192.167.255.255 192.169.0.0    private use (RFC 1918)
192.175.48.0     192.175.48.255  192.175.47.255  192.175.49.0   AS112 (RFC 7534)
198.18.0.0       198.19.255.255  198.17.255.255  198.20.0.0     benchmarking (RFC 2544)
198.51.100.0     198.51.100.255  198.51.99.255   198.51.101.0   documentation (RFC 5737)
203.0.113.0      203.0.113.255   203.0.112.255   203.0.114.0    documentation (RFC 5737)
240.0.0.0        255.255.255.255 239.255.255.255 -              reserved (RFC 1112)
2001::           2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:200:: IETF protocol assignments (RFC 2928)
2001:db8::       2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9:: documentation (RFC 3849)
2620:4f:8000::   2620:4f:8000:ffff:ffff:ffff:ffff:ffff 2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001:: AS112 (RFC 7534)
3fff::           3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:1000:: documentation (RFC 9637)
::2              63:ffff:ffff:ffff:ffff:ffff:ffff:ffff -             64:ff9b::808:808 outside 2000::/3
4000::           fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - outside 2000::/3`;

interface Row {
  readonly first: string;
  readonly last: string;
  readonly outside: readonly string[];
  readonly rule: string;
}

function rowsOf(text: string): Row[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [, first = '', last = '', before = '', after = '', rule = ''] =
        /^(\S+) +(\S+) +(\S+) +(\S+) +(.+)$/.exec(line) ?? [];
      return { first, last, outside: [before, after].filter((address) => address !== '-'), rule };
    });
}

describe('the never list', () => {
  test.each(rowsOf(never))('always refuses $first to $last: $rule', ({ first, last, outside, rule }) => {
    for (const address of [first, last]) {
      expect(decide(address)).toMatchObject({ pin: false, rule });
      // Beats everything: no CIDR of the operator opens it.
      expect(decidePrivate(address)).toMatchObject({ pin: false, rule });
    }
    for (const address of outside) expect(decide(address).rule).not.toBe(rule);
  });

  test('always says where a cloud documents its address', () => {
    expect(
      cloudTable.filter(({ source }) => !/^[A-Z]\w+ .*\w/.test(source)).map(({ prefix }) => prefix),
    ).toEqual([]);
  });
});

describe('the private list', () => {
  test.each(rowsOf(privateUse))('always refuses $first to $last: $rule', ({ first, last, outside, rule }) => {
    for (const address of [first, last]) {
      expect(decide(address)).toMatchObject({ pin: false, rule });
      // Yields to an explicit CIDR of the operator.
      expect(decidePrivate(address)).toMatchObject({ pin: true, rule: 'pinPrivateCIDRs' });
    }
    for (const address of outside) expect(decide(address).rule).not.toBe(rule);
  });

  test.each(['1.1.1.1', '9.9.9.9', '223.255.255.255', '2000::', '2606:4700::1111', '3fff:ffff::'])(
    'never holds the public address %s',
    (address) => {
      expect(decide(address)).toMatchObject({ pin: true, rule: 'public' });
      expect(decidePrivate(address)).toMatchObject({ pin: true, rule: 'public' });
    },
  );
});
