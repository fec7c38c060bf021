/**
 * What the words of a rule are to the kernel: where a field lies in a packet, what a key loads, what a value
 * is in octets (include/uapi/linux/netfilter/nf_tables.h; the type numbers are those of nft(8), which lists by
 * them).
 */
import { parseAddress } from '../../decisions/pin-address/ip-address.ts';
import type { Json } from '../../decisions/ruleset/nft-json.ts';

export interface DataType {
  /** As nft(8) numbers it. */
  readonly id: number;
  readonly octets: number;
  readonly order: 'host' | 'network';
  readonly names?: Readonly<Record<string, number>>;
}

const type = (
  id: number,
  octets: number,
  order: DataType['order'],
  names?: Readonly<Record<string, number>>,
): DataType => (names === undefined ? { id, octets, order } : { id, octets, order, names });

const arpOperations = { request: 1, reply: 2 };
const protocols = { icmp: 1, tcp: 6, udp: 17, 'ipv6-icmp': 58 };
const icmpTypes = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'echo-request': 8,
  'time-exceeded': 11,
  'parameter-problem': 12,
};
const icmpv6Types = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
};

export const types = {
  nfproto: type(2, 1, 'host', { ipv4: 2, ipv6: 10 }),
  integer: (octets: number) => type(4, octets, 'network'),
  ipv4_addr: type(7, 4, 'network'),
  ipv6_addr: type(8, 16, 'network'),
  ether_addr: type(9, 6, 'network'),
  ether_type: type(10, 2, 'network', { ip: 0x0800, arp: 0x0806, ip6: 0x86dd }),
  arp_op: type(11, 2, 'network', arpOperations),
  inet_proto: type(12, 1, 'network', protocols),
  inet_service: type(13, 2, 'network'),
  icmp_type: type(14, 1, 'network', icmpTypes),
  tcp_flag: type(15, 1, 'network', { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 }),
  mark: type(19, 4, 'host'),
  ct_state: type(26, 4, 'host', { invalid: 1, established: 2, related: 4, new: 8 }),
  ct_dir: type(27, 1, 'host', { original: 0, reply: 1 }),
  ct_status: type(28, 4, 'host', { snat: 1 << 4, dnat: 1 << 5 }),
  icmpv6_type: type(29, 1, 'network', icmpv6Types),
  fib_addrtype: type(42, 4, 'host', { unicast: 1, local: 2, broadcast: 3, multicast: 5 }),
  ifname: type(41, 16, 'host'),
} as const;

/** Set types by the names that a ruleset uses. */
export const setTypes: Readonly<Record<string, DataType>> = {
  ipv4_addr: types.ipv4_addr,
  ipv6_addr: types.ipv6_addr,
  inet_proto: types.inet_proto,
  inet_service: types.inet_service,
  ifname: types.ifname,
  arp_op: types.arp_op,
  icmp_type: types.icmp_type,
  icmpv6_type: types.icmpv6_type,
};

export interface Field {
  readonly base: 0 | 1 | 2;
  readonly offset: number;
  readonly type: DataType;
}

const [ll, nh, th] = [0, 1, 2] as const;
const field = (base: Field['base'], offset: number, dataType: DataType): Field => ({
  base,
  offset,
  type: dataType,
});

/** Header fields, `protocol field` (RFC 791, 826, 4443, 8200, 9293). */
export const fields: Readonly<Record<string, Field>> = {
  'ether daddr': field(ll, 0, types.ether_addr),
  'ether saddr': field(ll, 6, types.ether_addr),
  'ether type': field(ll, 12, types.ether_type),
  'arp htype': field(nh, 0, types.integer(2)),
  'arp ptype': field(nh, 2, types.ether_type),
  'arp hlen': field(nh, 4, types.integer(1)),
  'arp plen': field(nh, 5, types.integer(1)),
  'arp operation': field(nh, 6, types.arp_op),
  'arp saddr ether': field(nh, 8, types.ether_addr),
  'arp saddr ip': field(nh, 14, types.ipv4_addr),
  'arp daddr ip': field(nh, 24, types.ipv4_addr),
  'ip saddr': field(nh, 12, types.ipv4_addr),
  'ip daddr': field(nh, 16, types.ipv4_addr),
  'ip6 length': field(nh, 4, types.integer(2)),
  'ip6 nexthdr': field(nh, 6, types.inet_proto),
  'ip6 hoplimit': field(nh, 7, types.integer(1)),
  'ip6 saddr': field(nh, 8, types.ipv6_addr),
  'ip6 daddr': field(nh, 24, types.ipv6_addr),
  'tcp flags': field(th, 13, types.tcp_flag),
  'tcp dport': field(th, 2, types.inet_service),
  'udp dport': field(th, 2, types.inet_service),
  'th dport': field(th, 2, types.inet_service),
  'icmp type': field(th, 0, types.icmp_type),
  'icmpv6 type': field(th, 0, types.icmpv6_type),
  'icmpv6 code': field(th, 1, types.integer(1)),
};

export const bases: Readonly<Record<string, Field['base']>> = { ll, nh, th };

export interface Key {
  readonly key: number;
  readonly type: DataType;
}

export const metaKeys: Readonly<Record<string, Key>> = {
  iifname: { key: 6, type: types.ifname },
  oifname: { key: 7, type: types.ifname },
  nfproto: { key: 15, type: types.nfproto },
  l4proto: { key: 16, type: types.inet_proto },
};

export const ctKeys: Readonly<Record<string, Key>> = {
  state: { key: 0, type: types.ct_state },
  direction: { key: 1, type: types.ct_dir },
  status: { key: 2, type: types.ct_status },
  mark: { key: 3, type: types.mark },
  'proto-dst': { key: 12, type: types.inet_service },
};

function ofNumber(value: bigint, { octets, order }: DataType): Buffer {
  const bytes = Buffer.alloc(octets);
  let rest = value;
  for (let index = 0; index < octets; index++) {
    bytes[order === 'host' ? index : octets - 1 - index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new RangeError(`${value} has more than ${octets} octets`);
  return bytes;
}

function ofText(value: string, dataType: DataType): Buffer {
  if (dataType === types.ifname) {
    const name = Buffer.alloc(dataType.octets);
    if (name.write(value, 'latin1') >= dataType.octets) throw new RangeError(`${value} is too long a name`);
    return name;
  }
  if (dataType === types.ether_addr) return Buffer.from(value.replaceAll(':', ''), 'hex');
  if (dataType === types.ipv4_addr || dataType === types.ipv6_addr) {
    const address = parseAddress(value);
    if (address?.length !== dataType.octets) throw new RangeError(`${value} is no address of this family`);
    return Buffer.from(address);
  }
  const named = dataType.names?.[value];
  if (named !== undefined) return ofNumber(BigInt(named), dataType);
  if (/^0x[0-9a-f]+$/.test(value)) return ofNumber(BigInt(value), dataType);
  throw new RangeError(`${JSON.stringify(value)} is no value that is known here`);
}

/** A value in the octets of a register. Throws RangeError for what has no such octets. */
export function octetsOf(value: Json, dataType: DataType): Buffer {
  if (typeof value === 'number') return ofNumber(BigInt(value), dataType);
  if (typeof value === 'string') return ofText(value, dataType);
  if (Array.isArray(value)) {
    const flags = value.map((one) => octetsOf(one, dataType));
    return Buffer.from(
      Array.from({ length: dataType.octets }, (_, at) => flags.reduce((sum, one) => sum | (one[at] ?? 0), 0)),
    );
  }
  throw new RangeError(`${JSON.stringify(value).slice(0, 100)} is no value`);
}

/** The first `bits` set, in so many octets. */
export function maskOf(bits: number, octets: number): Buffer {
  return Buffer.from(
    Array.from({ length: octets }, (_, at) => {
      const ones = Math.max(0, Math.min(8, bits - at * 8));
      return (0xff << (8 - ones)) & 0xff;
    }),
  );
}
