/** Frames octet by octet, with checksums. */
import { addressNumber } from '../../oracles/addresses/address-number.ts';

export function addressOctets(text: string): Buffer {
  const { family, value } = addressNumber(text);
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}

export function onesSum(parts: readonly Buffer[]): number {
  const data = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += ((data[i] ?? 0) << 8) | (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export interface DatagramOptions {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Buffer;
  readonly hops: number;
  readonly service?: number;
  readonly id?: number;
  /** Flags and offset field of IPv4. */
  readonly fragment?: number;
  /** Of IPv4, a multiple of four octets. */
  readonly options?: Buffer;
  /** Of IPv6: a chain whose last header is `protocol`, and the number of its first. */
  readonly extensions?: { readonly first: number; readonly data: Buffer };
}

export function datagram(options: DatagramOptions): Buffer {
  return options.source.includes(':') ? ipv6(options) : ipv4(options);
}

function ipv4(options: DatagramOptions): Buffer {
  const extra = options.options ?? Buffer.alloc(0);
  const header = Buffer.alloc(20 + extra.length);
  header[0] = 0x40 | (header.length / 4);
  header[1] = options.service ?? 0;
  header.writeUInt16BE(header.length + options.payload.length, 2);
  header.writeUInt16BE(options.id ?? 0, 4);
  header.writeUInt16BE(options.fragment ?? 0, 6);
  header[8] = options.hops;
  header[9] = options.protocol;
  addressOctets(options.source).copy(header, 12);
  addressOctets(options.destination).copy(header, 16);
  extra.copy(header, 20);
  header.writeUInt16BE(onesSum([header]), 10);
  return Buffer.concat([header, options.payload]);
}

function ipv6(options: DatagramOptions): Buffer {
  const chain = options.extensions;
  const header = Buffer.alloc(40);
  header.writeUInt32BE(0x6000_0000 | ((options.service ?? 0) << 20), 0);
  header.writeUInt16BE((chain?.data.length ?? 0) + options.payload.length, 4);
  header[6] = chain?.first ?? options.protocol;
  header[7] = options.hops;
  addressOctets(options.source).copy(header, 8);
  addressOctets(options.destination).copy(header, 24);
  return Buffer.concat([header, chain?.data ?? Buffer.alloc(0), options.payload]);
}

const checksumPlace: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 };

/** The segment with its checksum, or with a wrong one. */
export function summed(
  segment: Buffer,
  protocol: number,
  source: string,
  destination: string,
  wrong = false,
): Buffer {
  const place = checksumPlace[protocol];
  if (place === undefined || segment.length < place + 2) return segment;
  const made = Buffer.from(segment);
  made.writeUInt16BE(0, place);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(made.length, 0);
  pseudo[7] = protocol;
  const parts = protocol === 1 ? [made] : [addressOctets(source), addressOctets(destination), pseudo, made];
  const sum = onesSum(parts);
  made.writeUInt16BE((sum === 0 ? 0xffff : sum) ^ (wrong ? 0x5555 : 0) || 0xffff, place);
  return made;
}

export function udp(sourcePort: number, destinationPort: number, data: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + data.length, 4);
  return Buffer.concat([header, data]);
}

export function tcp(sourcePort: number, destinationPort: number, flags: number, sequence: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt32BE(sequence, 4);
  header.writeUInt32BE((flags & 0x10) === 0 ? 0 : 1, 8);
  header[12] = 0x50;
  header[13] = flags;
  header.writeUInt16BE(sequence & 0xffff, 14);
  return header;
}

export function icmpEcho(type: number, identifier: number): Buffer {
  const message = Buffer.alloc(12);
  message[0] = type;
  message.writeUInt16BE(identifier, 4);
  return message;
}

export interface LinkOptions {
  readonly to: readonly number[];
  readonly from: readonly number[];
  readonly tags: readonly { readonly type: number; readonly control: number }[];
  readonly type: number;
}

export function frame({ to, from, tags, type }: LinkOptions, payload: Buffer): Buffer {
  const words = tags.flatMap((tag) => [tag.type, tag.control]);
  const rest = Buffer.alloc((words.length + 1) * 2);
  [...words, type].forEach((word, i) => {
    rest.writeUInt16BE(word, i * 2);
  });
  return Buffer.concat([Buffer.from([...to, ...from]), rest, payload]);
}
