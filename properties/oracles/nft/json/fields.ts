/** Header fields by nft's names: where they lie, and which protocol has to be tested before. */
import type { PayloadBase } from '../ruleset.ts';

export interface Field {
  readonly base: PayloadBase;
  /** In bits, from the beginning of the header. */
  readonly offset: number;
  readonly bits: number;
  /** How values are written. */
  readonly type: ValueType;
}

export type ValueType =
  | 'integer'
  | 'ipv4'
  | 'ipv6'
  | 'ether'
  | 'protocol'
  | 'etherType'
  | 'port'
  | 'tcpFlags'
  | 'icmpType'
  | 'icmpv6Type'
  | 'icmpCode'
  | 'icmpv6Code'
  | 'arpOperation'
  | 'dscp'
  | 'ecn'
  | 'hostInteger'
  | 'ifname'
  | 'ifindex'
  | 'packetType'
  | 'hardware'
  | 'nfproto'
  | 'ctState'
  | 'ctStatus'
  | 'ctDirection'
  | 'fibType'
  | 'boolean';

const at = (base: PayloadBase, offset: number, bits: number, type: ValueType = 'integer'): Field => ({
  base,
  offset,
  bits,
  type,
});

type Fields = Readonly<Record<string, Field>>;

const transportPorts: Fields = {
  sport: at('transport', 0, 16, 'port'),
  dport: at('transport', 16, 16, 'port'),
};

export const protocols: Readonly<Record<string, Fields>> = {
  ether: {
    daddr: at('link', 0, 48, 'ether'),
    saddr: at('link', 48, 48, 'ether'),
    type: at('link', 96, 16, 'etherType'),
  },
  vlan: {
    pcp: at('link', 112, 3),
    dei: at('link', 115, 1),
    cfi: at('link', 115, 1),
    id: at('link', 116, 12),
    type: at('link', 128, 16, 'etherType'),
  },
  arp: {
    htype: at('network', 0, 16),
    ptype: at('network', 16, 16, 'etherType'),
    hlen: at('network', 32, 8),
    plen: at('network', 40, 8),
    operation: at('network', 48, 16, 'arpOperation'),
    'saddr ether': at('network', 64, 48, 'ether'),
    'saddr ip': at('network', 112, 32, 'ipv4'),
    'daddr ether': at('network', 144, 48, 'ether'),
    'daddr ip': at('network', 192, 32, 'ipv4'),
  },
  ip: {
    version: at('network', 0, 4),
    hdrlength: at('network', 4, 4),
    dscp: at('network', 8, 6, 'dscp'),
    ecn: at('network', 14, 2, 'ecn'),
    length: at('network', 16, 16),
    id: at('network', 32, 16),
    'frag-off': at('network', 48, 16),
    ttl: at('network', 64, 8),
    protocol: at('network', 72, 8, 'protocol'),
    checksum: at('network', 80, 16),
    saddr: at('network', 96, 32, 'ipv4'),
    daddr: at('network', 128, 32, 'ipv4'),
  },
  ip6: {
    version: at('network', 0, 4),
    dscp: at('network', 4, 6, 'dscp'),
    ecn: at('network', 10, 2, 'ecn'),
    flowlabel: at('network', 12, 20),
    length: at('network', 32, 16),
    nexthdr: at('network', 48, 8, 'protocol'),
    hoplimit: at('network', 56, 8),
    saddr: at('network', 64, 128, 'ipv6'),
    daddr: at('network', 192, 128, 'ipv6'),
  },
  tcp: {
    ...transportPorts,
    sequence: at('transport', 32, 32),
    ackseq: at('transport', 64, 32),
    doff: at('transport', 96, 4),
    reserved: at('transport', 100, 4),
    flags: at('transport', 104, 8, 'tcpFlags'),
    window: at('transport', 112, 16),
    checksum: at('transport', 128, 16),
    urgptr: at('transport', 144, 16),
  },
  udp: { ...transportPorts, length: at('transport', 32, 16), checksum: at('transport', 48, 16) },
  udplite: { ...transportPorts, csumcov: at('transport', 32, 16), checksum: at('transport', 48, 16) },
  sctp: { ...transportPorts, vtag: at('transport', 32, 32), checksum: at('transport', 64, 32) },
  dccp: { ...transportPorts, type: at('transport', 67, 4) },
  th: transportPorts,
  icmp: {
    type: at('transport', 0, 8, 'icmpType'),
    code: at('transport', 8, 8, 'icmpCode'),
    checksum: at('transport', 16, 16),
    id: at('transport', 32, 16),
    sequence: at('transport', 48, 16),
    gateway: at('transport', 32, 32),
    mtu: at('transport', 48, 16),
  },
  icmpv6: {
    type: at('transport', 0, 8, 'icmpv6Type'),
    code: at('transport', 8, 8, 'icmpv6Code'),
    checksum: at('transport', 16, 16),
    id: at('transport', 32, 16),
    sequence: at('transport', 48, 16),
    mtu: at('transport', 32, 32),
    'parameter-problem': at('transport', 32, 32),
    'max-delay': at('transport', 32, 16),
  },
};

/** meta l4proto that each needs; `th` needs none. */
export const transportNumbers: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  udplite: 136,
  sctp: 132,
  dccp: 33,
  icmp: 1,
  icmpv6: 58,
};

export const networkTypes: Readonly<Record<string, number>> = { ip: 0x0800, ip6: 0x86dd, arp: 0x0806 };

export const bases: Readonly<Record<string, PayloadBase>> = { ll: 'link', nh: 'network', th: 'transport' };

/** ICMP fields that only some types have; nft tests the type before it reads them. */
export const typedIcmpFields = ['id', 'sequence', 'gateway', 'mtu', 'parameter-problem', 'max-delay'];
