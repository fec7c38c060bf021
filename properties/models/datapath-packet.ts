/** A packet as a person says it, its octets, and its notation. */
import {
  addressOctets,
  datagram,
  frame,
  icmpEcho,
  summed,
  tcp,
  udp,
} from '../arbitraries/nft/frame-bytes.ts';

/** `eth1` is in the pod, and nobody named it. */
export type Port = 'tap0' | 'tap1' | 'eth0' | 'eth1';

export type Body =
  | { readonly kind: 'tcp'; readonly sport: number; readonly dport: number; readonly flags: number }
  | { readonly kind: 'udp'; readonly sport: number; readonly dport: number }
  | { readonly kind: 'icmp'; readonly type: number; readonly code: number; readonly id: number }
  /** Neighbour discovery: target (or destination) and a link-layer address as its only option. */
  | { readonly kind: 'nd'; readonly type: number; readonly target: string; readonly mac: readonly number[] }
  | { readonly kind: 'raw'; readonly protocol: number };

export interface Link {
  readonly to: readonly number[];
  readonly from: readonly number[];
  /** Tag control information of each VLAN tag, outermost first. */
  readonly tags: readonly number[];
}

export interface IpPacket {
  readonly kind: 'ip';
  readonly source: string;
  readonly destination: string;
  readonly hops: number;
  readonly body: Body;
  /** Flags and offset of IPv4; of IPv6 a fragment header with this offset field. */
  readonly fragment?: number;
  /** IPv4 with a record-route option, IPv6 with a hop-by-hop header. */
  readonly options?: boolean;
}

export interface ArpPacket {
  readonly kind: 'arp';
  readonly operation: number;
  readonly senderMac: readonly number[];
  readonly sender: string;
  readonly target: string;
}

export interface OtherFrame {
  readonly kind: 'other';
  readonly etherType: number;
}

export interface Packet {
  /** null: the pod sends it. */
  readonly port: Port | null;
  readonly link: Link;
  readonly content: IpPacket | ArpPacket | OtherFrame;
}

export const isIpv6 = (address: string) => address.includes(':');

export function protocolOf({ body, source }: IpPacket): number {
  if (body.kind === 'tcp') return 6;
  if (body.kind === 'udp') return 17;
  if (body.kind === 'raw') return body.protocol;
  return isIpv6(source) ? 58 : 1;
}

function segmentOf(body: Body): Buffer {
  switch (body.kind) {
    case 'tcp':
      return tcp(body.sport, body.dport, body.flags, 1);
    case 'udp':
      return udp(body.sport, body.dport, Buffer.alloc(8, 0x61));
    case 'icmp': {
      const message = icmpEcho(body.type, body.id);
      message[1] = body.code;
      return message;
    }
    case 'nd':
      return Buffer.concat([
        Buffer.from([body.type, 0, 0, 0, 0, 0, 0, 0]),
        addressOctets(body.target),
        Buffer.from([1, 1, ...body.mac]),
      ]);
    case 'raw':
      return Buffer.alloc(16, 0x61);
  }
}

const recordRoute = Buffer.from([7, 3, 4, 0]);

function datagramOf(packet: IpPacket): Buffer {
  const { source, destination, hops, body, fragment, options } = packet;
  const protocol = protocolOf(packet);
  const payload = summed(segmentOf(body), protocol, source, destination);
  const base = { source, destination, hops, protocol, payload };
  if (!isIpv6(source)) {
    return datagram({
      ...base,
      ...(fragment === undefined ? {} : { fragment }),
      ...(options === true ? { options: recordRoute } : {}),
    });
  }
  if (fragment !== undefined) {
    const data = Buffer.from([protocol, 0, fragment >> 8, fragment & 0xff, 0, 0, 0, 1]);
    return datagram({ ...base, extensions: { first: 44, data } });
  }
  if (options !== true) return datagram(base);
  return datagram({ ...base, extensions: { first: 0, data: Buffer.from([protocol, 0, 1, 4, 0, 0, 0, 0]) } });
}

/** From the Ethernet header on; of a packet of the pod from the IP header on. */
export function octetsOf({ port, link, content }: Packet): Buffer {
  if (content.kind === 'ip' && port === null) return datagramOf(content);
  const tags = link.tags.map((control) => ({ type: 0x8100, control }));
  const onLink = (type: number, payload: Buffer) =>
    frame({ to: link.to, from: link.from, tags, type }, payload);
  if (content.kind === 'ip') return onLink(isIpv6(content.source) ? 0x86dd : 0x0800, datagramOf(content));
  if (content.kind === 'other') return onLink(content.etherType, Buffer.alloc(46));
  const { operation, senderMac, sender, target } = content;
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation, ...senderMac]);
  const body = Buffer.concat([head, addressOctets(sender), Buffer.alloc(6), addressOctets(target)]);
  return onLink(0x0806, body);
}

const macText = (mac: readonly number[]) => mac.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
const flagNames = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const;
const ndNames: Readonly<Record<number, string>> = {
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  137: 'redirect',
};

function bodyText(body: Body): string {
  switch (body.kind) {
    case 'tcp': {
      const flags = flagNames.filter((_, bit) => ((body.flags >> bit) & 1) === 1).join('|');
      return `TCP ${body.sport} → ${body.dport} ${flags === '' ? 'without flags' : flags}`;
    }
    case 'udp':
      return `UDP ${body.sport} → ${body.dport}`;
    case 'icmp':
      return `ICMP type ${body.type} code ${body.code}`;
    case 'nd':
      return `${ndNames[body.type] ?? `ICMPv6 type ${body.type}`} for ${body.target} at ${macText(body.mac)}`;
    case 'raw':
      return `IP protocol ${body.protocol}`;
  }
}

/** In words, a line or two. */
export function textOf({ port, link, content }: Packet): string {
  const tags = link.tags.map((control) => `VLAN ${control & 0xfff}, `).join('');
  const by =
    port === null ? 'the pod sends' : `${port} receives, ${tags}${macText(link.from)} → ${macText(link.to)}:`;
  if (content.kind === 'other') return `${by} a frame of EtherType 0x${content.etherType.toString(16)}`;
  if (content.kind === 'arp') {
    const { operation, sender, senderMac, target } = content;
    const word = operation === 1 ? 'request' : operation === 2 ? 'reply' : `operation ${operation}`;
    return `${by} ARP ${word}: ${sender} is at ${macText(senderMac)}, to ${target}`;
  }
  const { source, destination, hops, body, fragment, options } = content;
  const notes = [
    ...(fragment === undefined ? [] : [`fragment field 0x${fragment.toString(16)}`]),
    ...(options === true ? ['with options'] : []),
    ...(hops === 64 ? [] : [`hop limit ${hops}`]),
  ];
  return `${by} ${source} → ${destination}, ${[bodyText(body), ...notes].join(', ')}`;
}
