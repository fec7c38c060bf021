/** Values as `nft -j` writes them, into the bytes that lie in a register. */
import { addressNumber, intervalOf } from '../../addresses/address-number.ts';
import { addressTypes } from '../evaluate/fib.ts';
import type { Bytes } from '../ruleset.ts';
import type { ValueType } from './fields.ts';

export type Json = null | boolean | number | string | Json[] | { readonly [key: string]: Json };

/** Inclusive, as numbers; bytes follow from the width. */
export interface ValueRange {
  readonly first: bigint;
  readonly last: bigint;
}

export class UnreadableValue extends Error {}

const names: Readonly<Partial<Record<ValueType, Readonly<Record<string, number>>>>> = {
  protocol: {
    ip: 0,
    icmp: 1,
    igmp: 2,
    ipencap: 4,
    tcp: 6,
    egp: 8,
    udp: 17,
    dccp: 33,
    ipv6: 41,
    'ipv6-route': 43,
    'ipv6-frag': 44,
    rsvp: 46,
    gre: 47,
    esp: 50,
    ah: 51,
    'ipv6-icmp': 58,
    icmpv6: 58,
    'ipv6-nonxt': 59,
    'ipv6-opts': 60,
    ospf: 89,
    ipip: 94,
    pim: 103,
    comp: 108,
    ipcomp: 108,
    vrrp: 112,
    l2tp: 115,
    sctp: 132,
    udplite: 136,
  },
  etherType: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 },
  tcpFlags: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
  icmpType: {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
    'info-request': 15,
    'info-reply': 16,
    'address-mask-request': 17,
    'address-mask-reply': 18,
  },
  icmpv6Type: {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'mld-listener-query': 130,
    'mld-listener-report': 131,
    'mld-listener-done': 132,
    'mld-listener-reduction': 132,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'router-renumbering': 138,
    'ind-neighbor-solicit': 141,
    'ind-neighbor-advert': 142,
    'mld2-listener-report': 143,
  },
  icmpCode: {
    'net-unreachable': 0,
    'host-unreachable': 1,
    'prot-unreachable': 2,
    'port-unreachable': 3,
    'frag-needed': 4,
    'net-prohibited': 9,
    'host-prohibited': 10,
    'admin-prohibited': 13,
  },
  icmpv6Code: {
    'no-route': 0,
    'admin-prohibited': 1,
    'addr-unreachable': 3,
    'port-unreachable': 4,
    'policy-fail': 5,
    'reject-route': 6,
  },
  arpOperation: { request: 1, reply: 2, rrequest: 3, rreply: 4, inrequest: 8, inreply: 9, nak: 10 },
  dscp: {
    ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`cs${i}`, i * 8])),
    df: 0,
    be: 0,
    lephb: 1,
    ...Object.fromEntries([1, 2, 3, 4].flatMap((a) => [1, 2, 3].map((b) => [`af${a}${b}`, a * 8 + b * 2]))),
    va: 44,
    ef: 46,
  },
  ecn: { 'not-ect': 0, ect1: 1, ect0: 2, ce: 3 },
  packetType: { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  hardware: { ether: 1, ppp: 512, ipip: 768, loopback: 772, sit: 776, ipgre: 778 },
  nfproto: { ipv4: 2, ipv6: 10 },
  ctState: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  ctStatus: { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  ctDirection: { original: 0, reply: 1 },
  fibType: { unspec: 0, ...addressTypes },
};

const hostOrdered: readonly ValueType[] = [
  'hostInteger',
  'ifindex',
  'hardware',
  'ctState',
  'ctStatus',
  'fibType',
];

export interface ValueContext {
  /** Interface indexes, which a file has only by name. */
  readonly indexOf: (name: string) => number;
}

/** One value, or several flags joined. */
export function valueNumber(value: Json, type: ValueType, bits: number, context: ValueContext): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return BigInt(value);
  if (Array.isArray(value)) {
    return value.reduce((all: bigint, one) => all | valueNumber(one, type, bits, context), 0n);
  }
  if (typeof value === 'object' && value !== null && '|' in value) {
    return valueNumber(value['|'] ?? null, type, bits, context);
  }
  if (typeof value !== 'string') throw new UnreadableValue(JSON.stringify(value));
  return namedNumber(value, type, context);
}

function namedNumber(text: string, type: ValueType, context: ValueContext): bigint {
  if (type === 'ipv4' || type === 'ipv6') return addressNumber(text).value;
  if (type === 'ether') return BigInt(`0x${text.replaceAll(':', '')}`);
  if (type === 'ifindex') return BigInt(context.indexOf(text));
  if (type === 'ifname') {
    const wildcard = text.endsWith('*');
    const bytes = Buffer.alloc(16);
    bytes.write(wildcard ? text.slice(0, -1) : text);
    return BigInt(`0x${bytes.toString('hex')}`);
  }
  const known = names[type]?.[text];
  if (known !== undefined) return BigInt(known);
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  throw new UnreadableValue(`${text} as ${type}`);
}

/** A value, prefix or range. */
export function valueRange(value: Json, type: ValueType, bits: number, context: ValueContext): ValueRange {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    if ('prefix' in value) return prefixRange(value.prefix ?? null, type, bits, context);
    if ('range' in value && Array.isArray(value.range)) {
      const [first = null, last = null] = value.range;
      return {
        first: valueNumber(first, type, bits, context),
        last: valueNumber(last, type, bits, context),
      };
    }
  }
  if (typeof value === 'string' && type === 'ifname' && value.endsWith('*')) {
    const first = namedNumber(value, type, context);
    const free = BigInt((16 - (value.length - 1)) * 8);
    return { first, last: first | ((1n << free) - 1n) };
  }
  const single = valueNumber(value, type, bits, context);
  return { first: single, last: single };
}

function prefixRange(prefix: Json, type: ValueType, bits: number, context: ValueContext): ValueRange {
  if (typeof prefix !== 'object' || prefix === null || Array.isArray(prefix)) {
    throw new UnreadableValue(JSON.stringify(prefix));
  }
  const { addr = null, len = null } = prefix;
  if ((type === 'ipv4' || type === 'ipv6') && typeof addr === 'string') return intervalOf(`${addr}/${len}`);
  const first = valueNumber(addr, type, bits, context);
  return { first, last: first | ((1n << BigInt(bits - Number(len))) - 1n) };
}

/** As it lies in a register: numbers of the host turned around. */
export function registerBytes(value: bigint, bytes: number, type: ValueType): Bytes {
  const list = [...Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex')];
  if (list.length !== bytes) throw new UnreadableValue(`${value} in ${bytes} bytes`);
  return hostOrdered.includes(type) ? list.reverse() : list;
}

export function isHostOrdered(type: ValueType): boolean {
  return hostOrdered.includes(type);
}
