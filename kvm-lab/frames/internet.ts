/** IPv4 with options and fragments (RFC 791), IPv6 with extension headers (RFC 8200). */
import { isIPv4 } from 'node:net';
import { address, u8, u16, u32, withChecksum } from './octets.ts';

export const protocols = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  sixInFour: 41,
  routing: 43,
  fragment: 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  noNext: 59,
  destinationOptions: 60,
  sctp: 132,
  udpLite: 136,
} as const;

export interface Ip {
  readonly from: string;
  readonly to: string;
  readonly ttl?: number;
}

export interface Ipv4Extras {
  readonly id?: number;
  /** In octets. */
  readonly fragmentAt?: number;
  readonly moreFragments?: boolean;
  readonly dontFragment?: boolean;
  readonly options?: Uint8Array;
}

export function ipv4(ip: Ip, protocol: number, payload: Uint8Array, extras: Ipv4Extras = {}): Buffer {
  const raw = extras.options ?? Buffer.alloc(0);
  const options = Buffer.concat([raw, Buffer.alloc((4 - (raw.length % 4)) % 4)]);
  const flags = (extras.dontFragment ? 0x4000 : 0) | (extras.moreFragments ? 0x2000 : 0);
  const header = Buffer.concat([
    u8(0x45 + options.length / 4),
    u8(0),
    u16(20 + options.length + payload.length),
    u16(extras.id ?? 1),
    u16(flags | ((extras.fragmentAt ?? 0) >> 3)),
    u8(ip.ttl ?? 64),
    u8(protocol),
    u16(0),
    address(ip.from),
    address(ip.to),
    options,
  ]);
  return Buffer.concat([withChecksum(header, 10), payload]);
}

/** One extension header before the payload, its own next header left to `chain`. */
export interface Extension {
  readonly type: number;
  /** What stands after the octet that names the next header. */
  readonly body: Uint8Array;
}

export const padOptions = Buffer.from([0, 1, 4, 0, 0, 0, 0]);

export function ipv6(
  ip: Ip,
  protocol: number,
  payload: Uint8Array,
  chain: readonly Extension[] = [],
): Buffer {
  const types = [...chain.map(({ type }) => type), protocol];
  const extensions = chain.flatMap(({ body }, index) => [
    u8(types[index + 1] ?? protocol),
    Buffer.from(body),
  ]);
  const content = Buffer.concat([...extensions, payload]);
  return Buffer.concat([
    u32(0x60000000),
    u16(content.length),
    u8(types[0] ?? protocol),
    u8(ip.ttl ?? 64),
    address(ip.from),
    address(ip.to),
    content,
  ]);
}

/** Body of a fragment header (RFC 8200 section 4.5). */
export function fragmentBody(at: number, more: boolean, id: number): Buffer {
  return Buffer.concat([u8(0), u16((at & 0xfff8) | (more ? 1 : 0)), u32(id)]);
}

/** Of the family that the addresses have. */
export function packet(ip: Ip, protocol: number, payload: Uint8Array): Buffer {
  return isIPv4(ip.from) ? ipv4(ip, protocol, payload) : ipv6(ip, protocol, payload);
}
