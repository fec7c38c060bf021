/**
 * A frame as an observer reads it: addresses, protocol, ports; and in words. Total, so that all octets have
 * a reading.
 */

import { protocols } from './internet.ts';
import { etherTypes } from './link.ts';
import { addressText, macText } from './octets.ts';

export interface Reading {
  readonly fromMac: string;
  readonly toMac: string;
  /** Of what stands behind all tags. */
  readonly etherType: number;
  readonly vlans: readonly number[];
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: number;
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly tcpFlags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly icmpType?: number;
  /** 1 request, 2 reply. */
  readonly arpOperation?: number;
  /** What the transport carries, or what of it there is. */
  readonly data: Buffer;
}

const nothing = Buffer.alloc(0);

export function readFrame(frame: Buffer): Reading {
  const [toMac, fromMac] = [macText(frame.subarray(0, 6)), macText(frame.subarray(6, 12))];
  const vlans: number[] = [];
  let at = 12;
  while (at + 4 <= frame.length && [0x8100, 0x88a8].includes(frame.readUInt16BE(at))) {
    vlans.push(frame.readUInt16BE(at + 2) & 0xfff);
    at += 4;
  }
  const etherType = at + 2 <= frame.length ? frame.readUInt16BE(at) : 0;
  const link = { fromMac, toMac, etherType, vlans };
  const body = frame.subarray(at + 2);
  if (etherType === etherTypes.arp && body.length >= 28) {
    const [from, to] = [addressText(body.subarray(14, 18)), addressText(body.subarray(24, 28))];
    return { ...link, from, to, arpOperation: body.readUInt16BE(6), data: nothing };
  }
  if (etherType === etherTypes.ipv4 && body.length >= 20) return { ...link, ...readIpv4(body) };
  if (etherType === etherTypes.ipv6 && body.length >= 40) return { ...link, ...readIpv6(body) };
  return { ...link, data: body };
}

/** A reading of a packet without a frame around it: what an ICMP error quotes. */
export function readPacket(body: Buffer): Partial<Reading> {
  return body.length >= 20 && (body[0] ?? 0) >> 4 === 4 ? readIpv4(body) : {};
}

type Packet = Omit<Reading, 'fromMac' | 'toMac' | 'etherType' | 'vlans'>;

function readIpv4(body: Buffer): Packet {
  const headerOctets = ((body[0] ?? 0) & 15) * 4;
  const protocol = body[9] ?? 0;
  const ends = { from: addressText(body.subarray(12, 16)), to: addressText(body.subarray(16, 20)), protocol };
  const content = body.subarray(
    headerOctets,
    Math.max(headerOctets, Math.min(body.length, body.readUInt16BE(2))),
  );
  if ((body.readUInt16BE(6) & 0x1fff) !== 0) return { ...ends, data: content };
  return { ...ends, ...readTransport(protocol, content) };
}

function readIpv6(body: Buffer): Packet {
  let protocol = body[6] ?? 0;
  let at = 40;
  const skipped: readonly number[] = [protocols.hopByHop, protocols.routing, protocols.destinationOptions];
  while (at + 8 <= body.length && (skipped.includes(protocol) || protocol === protocols.fragment)) {
    const octets = protocol === protocols.fragment ? 8 : ((body[at + 1] ?? 0) + 1) * 8;
    protocol = body[at] ?? 0;
    at += octets;
  }
  const ends = { from: addressText(body.subarray(8, 24)), to: addressText(body.subarray(24, 40)), protocol };
  return { ...ends, ...readTransport(protocol, body.subarray(at)) };
}

function readTransport(protocol: number, content: Buffer): Omit<Packet, 'from' | 'to' | 'protocol'> {
  if (protocol === protocols.tcp && content.length >= 20) {
    return {
      fromPort: content.readUInt16BE(0),
      toPort: content.readUInt16BE(2),
      sequence: content.readUInt32BE(4),
      acknowledgement: content.readUInt32BE(8),
      tcpFlags: content[13] ?? 0,
      data: content.subarray(((content[12] ?? 0) >> 4) * 4),
    };
  }
  if (protocol === protocols.udp && content.length >= 8) {
    return { fromPort: content.readUInt16BE(0), toPort: content.readUInt16BE(2), data: content.subarray(8) };
  }
  if ((protocol === protocols.icmp || protocol === protocols.icmpv6) && content.length >= 4) {
    return { icmpType: content[0] ?? 0, data: content.subarray(4) };
  }
  return { data: content };
}

const nameOf = (table: Readonly<Record<string, number>>, value: number) =>
  Object.entries(table).find(([, number]) => number === value)?.[0];

/** `10.0.0.2:40000 > 10.0.0.1:53 udp 12 octets`. */
export function frameInWords(frame: Buffer): string {
  const reading = readFrame(frame);
  const { vlans, etherType, from, to, fromPort, toPort, protocol, arpOperation, icmpType, tcpFlags } =
    reading;
  const tags = vlans.map((vlan) => `vlan ${vlan} `).join('');
  if (arpOperation !== undefined)
    return `${tags}arp ${arpOperation === 1 ? 'request' : 'reply'} ${from} > ${to}`;
  if (from === undefined) {
    const type = nameOf(etherTypes, etherType) ?? `0x${etherType.toString(16)}`;
    return `${tags}${reading.fromMac} > ${reading.toMac} ${type} ${frame.length} octets`;
  }
  const port = (value?: number) => (value === undefined ? '' : `:${value}`);
  const bits = tcpFlags === undefined ? '' : ` ${flagNames(tcpFlags)}`;
  const type = icmpType === undefined ? '' : ` type ${icmpType}`;
  const name = nameOf(protocols, protocol ?? 0) ?? `protocol ${protocol}`;
  return `${tags}${from}${port(fromPort)} > ${to}${port(toPort)} ${name}${bits}${type}`;
}

function flagNames(bits: number): string {
  return (
    ['fin', 'syn', 'rst', 'psh', 'ack'].filter((_, index) => (bits & (1 << index)) !== 0).join('+') || 'none'
  );
}
