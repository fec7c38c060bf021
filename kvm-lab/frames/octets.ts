/** Octets on the wire: addresses, numbers, checksums (RFC 1071). What is built may be as wrong as one likes. */
import { isIPv4 } from 'node:net';

export function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function u8(value: number): Buffer {
  return Buffer.from([value & 0xff]);
}

export function u16(value: number): Buffer {
  return Buffer.from([(value >> 8) & 0xff, value & 0xff]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** 4 octets of an IPv4 address, 16 of an IPv6 address. */
export function address(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  const [head = '', tail] = embeddedAsGroups(text).split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return Buffer.concat([...before, ...Array<number>(zeros).fill(0), ...after].map(u16));
}

function embeddedAsGroups(text: string): string {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted === null) return text;
  const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
  return `${text.slice(0, dotted.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const words = Array.from({ length: 8 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  ).join(':');
  const zeros = [...words.matchAll(/(?:^|:)0(?::0)+(?:$|:)/g)].sort((a, b) => b[0].length - a[0].length)[0];
  if (zeros === undefined) return words;
  return `${words.slice(0, zeros.index)}::${words.slice(zeros.index + zeros[0].length)}`;
}

export function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The Internet checksum of all parts as one. */
export function checksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** What TCP, UDP and ICMPv6 sum up beside themselves (RFC 9293, RFC 8200 section 8.1). */
export function pseudoHeader(from: string, to: string, protocol: number, octets: number): Buffer {
  const pair = Buffer.concat([address(from), address(to)]);
  return isIPv4(from)
    ? Buffer.concat([pair, u16(protocol), u16(octets)])
    : Buffer.concat([pair, u32(octets), u32(protocol)]);
}

export function withChecksum(segment: Buffer, at: number, ...before: Uint8Array[]): Buffer {
  segment.writeUInt16BE(0, at);
  segment.writeUInt16BE(checksum(...before, segment), at);
  return segment;
}
