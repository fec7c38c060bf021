/** Segments and messages with their checksums: TCP, UDP, ICMP, ICMPv6, SCTP INIT, GRE, ESP, a DNS answer. */
import { protocols } from './internet.ts';
import { address, pseudoHeader, u8, u16, u32, withChecksum } from './octets.ts';

export interface Ports {
  readonly fromPort: number;
  readonly toPort: number;
}

export const flags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface Segment extends Ports {
  readonly sequence: number;
  readonly acknowledgement?: number;
  readonly flags: number;
  readonly data?: Uint8Array;
}

type Pair = { readonly from: string; readonly to: string };

export function tcp({ from, to }: Pair, segment: Segment): Buffer {
  const bytes = Buffer.concat([
    u16(segment.fromPort),
    u16(segment.toPort),
    u32(segment.sequence),
    u32(segment.acknowledgement ?? 0),
    u8(5 << 4),
    u8(segment.flags),
    u16(64_240),
    u16(0),
    u16(0),
    segment.data ?? Buffer.alloc(0),
  ]);
  return withChecksum(bytes, 16, pseudoHeader(from, to, protocols.tcp, bytes.length));
}

export function udp({ from, to }: Pair, { fromPort, toPort }: Ports, data: Uint8Array): Buffer {
  const bytes = Buffer.concat([u16(fromPort), u16(toPort), u16(8 + data.length), u16(0), data]);
  return withChecksum(bytes, 6, pseudoHeader(from, to, protocols.udp, bytes.length));
}

export function icmp(type: number, code: number, rest: Uint8Array): Buffer {
  return withChecksum(Buffer.concat([u8(type), u8(code), u16(0), rest]), 2);
}

export function icmpv6({ from, to }: Pair, type: number, code: number, rest: Uint8Array): Buffer {
  const bytes = Buffer.concat([u8(type), u8(code), u16(0), rest]);
  return withChecksum(bytes, 2, pseudoHeader(from, to, protocols.icmpv6, bytes.length));
}

export const echo = (id: number, data: Uint8Array) => Buffer.concat([u16(id), u16(1), data]);

/** An option of neighbour discovery that holds a MAC: 1 source, 2 target (RFC 4861 section 4.6.1). */
export const linkOption = (type: 1 | 2, mac: Uint8Array) => Buffer.concat([u8(type), u8(1), mac]);

/** RFC 4861 section 4.6.2, on-link and autonomous, valid for an hour. */
export function prefixOption(prefix: string, length: number): Buffer {
  return Buffer.concat([u8(3), u8(4), u8(length), u8(0xc0), u32(3_600), u32(3_600), u32(0), address(prefix)]);
}

/** RFC 4191 section 2.3. */
export function routeOption(prefix: string, length: number): Buffer {
  return Buffer.concat([u8(24), u8(3), u8(length), u8(0x08), u32(3_600), address(prefix)]);
}

/** CRC32c is left out: a listener that checks it refuses, a filter that passes it has failed already. */
export function sctpInit({ fromPort, toPort }: Ports): Buffer {
  const init = Buffer.concat([u8(1), u8(0), u16(20), u32(7), u32(65_536), u16(1), u16(1), u32(7)]);
  return Buffer.concat([u16(fromPort), u16(toPort), u32(0), u32(0), init]);
}

export const gre = (etherType: number, inner: Uint8Array) => Buffer.concat([u16(0), u16(etherType), inner]);
export const esp = (spi: number, data: Uint8Array) => Buffer.concat([u32(spi), u32(1), data]);

/** A question for an A record of `name`, with a header that says query or response. */
export function dnsMessage(id: number, name: string, answer: string | null): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([u8(label.length), Buffer.from(label)]));
  const question = Buffer.concat([...labels, u8(0), u16(1), u16(1)]);
  const record =
    answer === null
      ? Buffer.alloc(0)
      : Buffer.concat([u16(0xc00c), u16(1), u16(1), u32(60), u16(4), address(answer)]);
  const header = [u16(id), u16(answer === null ? 0x0100 : 0x8180), u16(1), u16(answer === null ? 0 : 1)];
  return Buffer.concat([...header, u16(0), u16(0), question, record]);
}
