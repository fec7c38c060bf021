/** Frames as octets: where the IP header begins, checksums made right, a capture file that others can open. */

const etherTypes = { ipv4: 0x0800, ipv6: 0x86dd } as const;
const tagTypes = [0x8100, 0x88a8];

/** Offset of the IP header and its family; null: none. */
export function ipHeader(frame: Buffer, withLink: boolean): { at: number; family: 4 | 6 } | null {
  if (!withLink) return frame.length < 20 ? null : { at: 0, family: (frame[0] ?? 0) >> 4 === 6 ? 6 : 4 };
  let at = 12;
  while (at + 4 <= frame.length && tagTypes.includes(frame.readUInt16BE(at))) at += 4;
  if (at + 2 > frame.length) return null;
  const type = frame.readUInt16BE(at);
  if (type === etherTypes.ipv4) return { at: at + 2, family: 4 };
  return type === etherTypes.ipv6 ? { at: at + 2, family: 6 } : null;
}

/** An 802.1Q tag with identifier 0 behind the two MACs. */
export function withPriorityTag(frame: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, 12), Buffer.from([0x81, 0, 0, 0]), frame.subarray(12)]);
}

const checksumAt: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 };
const leastBytes: Readonly<Record<number, number>> = { 1: 8, 6: 20, 17: 8, 58: 8 };

/** The checksum of a whole TCP, UDP or ICMP message is made right; anything else stays as it is. */
export function correctChecksums(frame: Buffer, withLink: boolean): Buffer {
  const made = Buffer.from(frame);
  const header = ipHeader(made, withLink);
  if (header === null) return made;
  const { at, family } = header;
  const headerBytes = family === 4 ? ((made[at] ?? 0) & 15) * 4 : 40;
  const protocol = made[at + (family === 4 ? 9 : 6)] ?? 0;
  const total = family === 4 ? made.readUInt16BE(at + 2) : 40 + made.readUInt16BE(at + 4);
  const fragment = family === 4 && (made.readUInt16BE(at + 6) & 0x3fff) !== 0;
  const place = checksumAt[protocol];
  const body = made.subarray(at + headerBytes, at + total);
  if (place === undefined || fragment || body.length < (leastBytes[protocol] ?? 0)) return made;
  body.writeUInt16BE(0, place);
  const addresses = family === 4 ? made.subarray(at + 12, at + 20) : made.subarray(at + 8, at + 40);
  const pseudo = Buffer.alloc(4);
  pseudo.writeUInt16BE(protocol, 0);
  pseudo.writeUInt16BE(body.length, 2);
  const covered = protocol === 1 ? body : Buffer.concat([addresses, pseudo, body]);
  const sum = internetChecksum(covered);
  body.writeUInt16BE(protocol === 17 && sum === 0 ? 0xffff : sum, place);
  return made;
}

/** RFC 1071. */
function internetChecksum(data: Buffer): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += ((data[i] ?? 0) << 8) | (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const magic = 0xa1b2c3d4;
const linkTypes = { ethernet: 1, raw: 101 } as const;
const snapBytes = 65_535;

/** A pcap file of one packet, at time 0, so that the same packet makes the same file. */
export function pcapFile(frame: Buffer, withLink: boolean): Buffer {
  const header = Buffer.alloc(24 + 16);
  header.writeUInt32LE(magic, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapBytes, 16);
  header.writeUInt32LE(withLink ? linkTypes.ethernet : linkTypes.raw, 20);
  header.writeUInt32LE(Math.min(frame.length, snapBytes), 32);
  header.writeUInt32LE(frame.length, 36);
  return Buffer.concat([header, frame.subarray(0, snapBytes)]);
}
