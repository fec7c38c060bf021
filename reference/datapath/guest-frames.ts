/** First packets of flows as a guest writes them to its tap: for tests on the kernel. */
import { parseAddress } from '../decisions/pin-address/ip-address.ts';

export interface FirstPacket {
  readonly tapMac: string;
  readonly guestMac: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'echo';
  readonly sourcePort: number;
  readonly destinationPort: number;
}

const bytesOf = (address: string) => Buffer.from(parseAddress(address) ?? []);
const macOf = (mac: string) => Buffer.from(mac.replaceAll(':', ''), 'hex');

/** RFC 1071. */
function checksum(...parts: Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** `sourcePort` is the identifier of an echo request. */
export function frameOf(packet: FirstPacket): Buffer {
  const [source, destination] = [bytesOf(packet.source), bytesOf(packet.destination)];
  const isIpv4 = source.length === 4;
  const { body, number, sumAt } = transportOf(packet, isIpv4);
  const pseudo = Buffer.alloc(4);
  pseudo.writeUInt8(number, 1);
  pseudo.writeUInt16BE(body.length, 2);
  const isPlain = packet.protocol === 'echo' && isIpv4;
  body.writeUInt16BE(isPlain ? checksum(body) : checksum(source, destination, pseudo, body) || 0xffff, sumAt);
  const link = Buffer.concat([
    macOf(packet.tapMac),
    macOf(packet.guestMac),
    Buffer.from(isIpv4 ? '0800' : '86dd', 'hex'),
  ]);
  return Buffer.concat([
    link,
    isIpv4 ? ipv4(source, destination, number, body.length) : ipv6(source, destination, number, body.length),
    body,
  ]);
}

function transportOf({ protocol, sourcePort, destinationPort }: FirstPacket, isIpv4: boolean) {
  const body = Buffer.alloc(protocol === 'tcp' ? 20 : 8);
  if (protocol === 'echo') {
    body.writeUInt8(isIpv4 ? 8 : 128, 0);
    body.writeUInt16BE(sourcePort, 4);
    return { body, number: isIpv4 ? 1 : 58, sumAt: 2 };
  }
  body.writeUInt16BE(sourcePort, 0);
  body.writeUInt16BE(destinationPort, 2);
  if (protocol === 'udp') {
    body.writeUInt16BE(8, 4);
    return { body, number: 17, sumAt: 6 };
  }
  const [dataOffset, syn] = [0x50, 0x02];
  body.writeUInt8(dataOffset, 12);
  body.writeUInt8(syn, 13);
  body.writeUInt16BE(64_240, 14);
  return { body, number: 6, sumAt: 16 };
}

function ipv4(source: Buffer, destination: Buffer, protocol: number, octets: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + octets, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(checksum(header, source, destination), 10);
  return Buffer.concat([header, source, destination]);
}

function ipv6(source: Buffer, destination: Buffer, protocol: number, octets: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(octets, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(64, 7);
  return Buffer.concat([header, source, destination]);
}
