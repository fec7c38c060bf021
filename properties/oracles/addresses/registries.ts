/**
 * The IANA IPv4 and IPv6 special-purpose address registries (RFC 6890, as of November 2026), the multicast
 * and site-local blocks that stand in registries of their own, and the clouds' addresses: data, with the
 * document that made each entry.
 */

export interface RegistryEntry {
  readonly prefix: string;
  readonly name: string;
  readonly source: string;
}

const entry = (prefix: string, name: string, source: string): RegistryEntry => ({ prefix, name, source });

export const ipv4Registry: readonly RegistryEntry[] = [
  entry('0.0.0.0/8', 'this network', 'RFC 791'),
  entry('0.0.0.0/32', 'this host on this network', 'RFC 1122'),
  entry('10.0.0.0/8', 'private use', 'RFC 1918'),
  entry('100.64.0.0/10', 'shared address space', 'RFC 6598'),
  entry('127.0.0.0/8', 'loopback', 'RFC 1122'),
  entry('169.254.0.0/16', 'link-local', 'RFC 3927'),
  entry('172.16.0.0/12', 'private use', 'RFC 1918'),
  entry('192.0.0.0/24', 'IETF protocol assignments', 'RFC 6890'),
  entry('192.0.0.0/29', 'IPv4 service continuity', 'RFC 7335'),
  entry('192.0.0.8/32', 'IPv4 dummy address', 'RFC 7600'),
  entry('192.0.0.9/32', 'port control protocol anycast', 'RFC 7723'),
  entry('192.0.0.10/32', 'TURN anycast', 'RFC 8155'),
  entry('192.0.0.170/32', 'NAT64/DNS64 discovery', 'RFC 7050'),
  entry('192.0.0.171/32', 'NAT64/DNS64 discovery', 'RFC 7050'),
  entry('192.0.2.0/24', 'documentation (TEST-NET-1)', 'RFC 5737'),
  entry('192.31.196.0/24', 'AS112-v4', 'RFC 7535'),
  entry('192.52.193.0/24', 'AMT', 'RFC 7450'),
  entry('192.88.99.0/24', 'deprecated 6to4 relay anycast', 'RFC 7526'),
  entry('192.88.99.2/32', '6a44 relay anycast', 'RFC 6751'),
  entry('192.168.0.0/16', 'private use', 'RFC 1918'),
  entry('192.175.48.0/24', 'direct delegation AS112', 'RFC 7534'),
  entry('198.18.0.0/15', 'benchmarking', 'RFC 2544'),
  entry('198.51.100.0/24', 'documentation (TEST-NET-2)', 'RFC 5737'),
  entry('203.0.113.0/24', 'documentation (TEST-NET-3)', 'RFC 5737'),
  entry('224.0.0.0/4', 'multicast', 'RFC 5771'),
  entry('240.0.0.0/4', 'reserved', 'RFC 1112'),
  entry('255.255.255.255/32', 'limited broadcast', 'RFC 8190'),
];

export const ipv6Registry: readonly RegistryEntry[] = [
  entry('::1/128', 'loopback', 'RFC 4291'),
  entry('::/128', 'unspecified', 'RFC 4291'),
  entry('::ffff:0:0/96', 'IPv4-mapped', 'RFC 4291'),
  entry('64:ff9b::/96', 'IPv4-IPv6 translation', 'RFC 6052'),
  entry('64:ff9b:1::/48', 'local-use IPv4-IPv6 translation', 'RFC 8215'),
  entry('100::/64', 'discard-only', 'RFC 6666'),
  entry('100:0:0:1::/64', 'dummy prefix', 'RFC 9780'),
  entry('2001::/23', 'IETF protocol assignments', 'RFC 2928'),
  entry('2001::/32', 'Teredo', 'RFC 4380'),
  entry('2001:1::1/128', 'port control protocol anycast', 'RFC 7723'),
  entry('2001:1::2/128', 'TURN anycast', 'RFC 8155'),
  entry('2001:1::3/128', 'DNS-SD service registration anycast', 'RFC 9665'),
  entry('2001:2::/48', 'benchmarking', 'RFC 5180'),
  entry('2001:3::/32', 'AMT', 'RFC 7450'),
  entry('2001:4:112::/48', 'AS112-v6', 'RFC 7535'),
  entry('2001:10::/28', 'deprecated ORCHID', 'RFC 4843'),
  entry('2001:20::/28', 'ORCHIDv2', 'RFC 7343'),
  entry('2001:30::/28', 'drone remote identification', 'RFC 9374'),
  entry('2001:db8::/32', 'documentation', 'RFC 3849'),
  entry('2002::/16', '6to4', 'RFC 3056'),
  entry('2620:4f:8000::/48', 'direct delegation AS112', 'RFC 7534'),
  entry('3fff::/20', 'documentation', 'RFC 9637'),
  entry('5f00::/16', 'segment routing SIDs', 'RFC 9602'),
  entry('fc00::/7', 'unique local', 'RFC 4193'),
  entry('fe80::/10', 'link-local', 'RFC 4291'),
  entry('fec0::/10', 'deprecated site-local', 'RFC 3879'),
  entry('ff00::/8', 'multicast', 'RFC 4291'),
];

/**
 * Blocks that carry an IPv4 which decides instead of the block itself (findings.md F1, reference (1), (3)).
 */
export const wrapperBlocks = ['::ffff:0:0/96', '64:ff9b::/96', '2002::/16'] as const;

/** Nothing else is global unicast: IANA delegates from this block only. */
export const globalUnicast = '2000::/3';

export const cloudAddresses: readonly RegistryEntry[] = [
  entry(
    '169.254.169.254/32',
    'instance metadata of AWS, GCP, Azure, Oracle, OpenStack, DigitalOcean, Hetzner',
    'EC2 User Guide',
  ),
  entry('169.254.169.253/32', 'AWS VPC resolver', 'VPC User Guide'),
  entry('169.254.169.123/32', 'AWS time', 'EC2 User Guide'),
  entry('169.254.170.2/32', 'AWS ECS task credentials', 'ECS Developer Guide'),
  entry('169.254.170.23/32', 'AWS EKS pod identity', 'EKS User Guide'),
  entry('fd00:ec2::254/128', 'AWS instance metadata', 'EC2 User Guide'),
  entry('fd00:ec2::253/128', 'AWS VPC resolver', 'VPC User Guide'),
  entry('fd00:ec2::123/128', 'AWS time', 'EC2 User Guide'),
  entry('fd00:ec2::23/128', 'AWS EKS pod identity', 'EKS User Guide'),
  entry('fd20:ce::254/128', 'GCP metadata server', 'Compute Engine documentation'),
  entry('168.63.129.16/32', 'Azure wire server', 'Azure Virtual Network documentation'),
  entry('192.0.0.192/32', 'Oracle instance metadata, classic', 'OCI documentation'),
  entry('100.100.100.200/32', 'Alibaba instance metadata', 'ECS documentation'),
  entry('169.254.0.23/32', 'Tencent instance metadata', 'CVM documentation'),
  entry('169.254.42.42/32', 'Scaleway metadata', 'Scaleway documentation'),
  entry('fd00:42::42/128', 'Scaleway metadata', 'Scaleway documentation'),
  entry('fe80::a9fe:a9fe/128', 'OpenStack metadata service', 'Nova documentation'),
];
