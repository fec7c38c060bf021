/** A known frame as a packet: what the kernel notes while it takes an Ethernet frame from a device. */
import { always, type Bdd, never } from '../../bdd/bdd.ts';
import { constantBits, numberBits } from '../../bdd/bit-vector.ts';
import type { Device } from '../topology.ts';
import { type Connection, HeaderBits, type Packet, type PacketInfo } from './packet.ts';

export interface ParsedFrame {
  /** As an ingress chain sees it. */
  readonly arriving: Packet;
  /** As the IP layer's hooks see it. */
  readonly inside: Packet;
  /** VLAN tags that the frame carries, by identifier. */
  readonly tags: readonly number[];
  /** Why the IP layer throws it away before any hook of its own; null: it does not. */
  readonly refused: string | null;
}

export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  ipv6: 0x86dd,
  vlan: 0x8100,
  provider: 0x88a8,
} as const;
const unknownInfo: PacketInfo = { known: never, protocol: numberBits(0, 8), later: never };

export function isVlan(etherType: number): boolean {
  return etherType === etherTypes.vlan || etherType === etherTypes.provider;
}

/** Throws RangeError on a frame without a whole Ethernet header. */
export function parseFrame(frame: Buffer, device: Device, connection: Connection): ParsedFrame {
  if (frame.length < 14) throw new RangeError(`a frame of ${frame.length} bytes`);
  let offset = 12;
  const tags: number[] = [];
  while (isVlan(frame.readUInt16BE(offset)) && offset + 6 <= frame.length) {
    tags.push(frame.readUInt16BE(offset + 2) & 0xfff);
    offset += 4;
  }
  const inner = frame.readUInt16BE(offset);
  const network = frame.subarray(offset + 2);
  const family =
    inner === etherTypes.ipv4
      ? 4
      : inner === etherTypes.ipv6
        ? 6
        : inner === etherTypes.arp
          ? 'arp'
          : 'other';
  const layout = networkLayout(network, family);
  // The driver takes one tag off; what lies behind a second one is not looked at.
  const hidden = tags.length > 1;
  const base = hidden ? frame.subarray(18) : network;
  const arriving: Packet = {
    family,
    protocol: numberBits(tags.length === 0 ? inner : frame.readUInt16BE(16), 16),
    link: new HeaderBits(constantBits(frame.subarray(0, offset + 2)), null),
    network: new HeaderBits(constantBits(network.subarray(0, layout.headerBytes)), null),
    networkBytes: layout.headerBytes,
    innerTag: hidden ? new HeaderBits(constantBits(frame.subarray(18, offset + 2)), null) : null,
    transport: new HeaderBits(constantBits(network.subarray(layout.headerBytes)), null),
    transportLength: numberBits(network.length - layout.headerBytes, 16),
    length: numberBits(base.length, 32),
    info: hidden ? unknownInfo : layout.info,
    packetType: numberBits(packetType(frame, device), 8),
    mark: numberBits(0, 32),
    untracked: never,
    connection,
    tracked: null,
    fragmented: layout.fragmented ?? never,
    atomic: layout.atomic ?? never,
    unfit: layout.unfit ?? never,
    extensions: layout.extensions,
  };
  return { arriving, inside: insideOf(arriving, frame, network, layout), tags, refused: layout.refused };
}

/** Tags taken off, and what lies behind the datagram cut off. */
function insideOf(arriving: Packet, frame: Buffer, network: Buffer, layout: Layout): Packet {
  const { family } = arriving;
  const etherType = frame.subarray(frame.length - network.length - 2, frame.length - network.length);
  const said =
    layout.refused !== null || (family !== 4 && family !== 6)
      ? network.length
      : family === 4
        ? network.readUInt16BE(2)
        : network.readUInt16BE(4) + 40;
  const total = Math.min(said, network.length);
  return {
    ...arriving,
    protocol: constantBits(etherType),
    link: new HeaderBits(constantBits(Buffer.concat([frame.subarray(0, 12), etherType])), null),
    innerTag: null,
    transport: new HeaderBits(constantBits(network.subarray(layout.headerBytes, total)), null),
    transportLength: numberBits(Math.max(0, total - layout.headerBytes), 16),
    length: numberBits(total, 32),
    info: layout.info,
  };
}

/** A datagram that this host makes itself, from its IP header on. */
export function parseDatagram(datagram: Buffer, connection: Connection): Packet {
  const family = (datagram[0] ?? 0) >> 4 === 6 ? 6 : 4;
  const header = Buffer.alloc(14);
  header.writeUInt16BE(family === 4 ? etherTypes.ipv4 : etherTypes.ipv6, 12);
  const nowhere: Device = { name: '', index: 0, hardware: 1, mac: [0, 0, 0, 0, 0, 0], addresses: [] };
  const { inside } = parseFrame(Buffer.concat([header, datagram]), nowhere, connection);
  return { ...inside, link: null, packetType: numberBits(0, 8) };
}

function packetType(frame: Buffer, device: Device): number {
  const to = [...frame.subarray(0, 6)];
  if (to.every((octet) => octet === 0xff)) return 1;
  if (((to[0] ?? 0) & 1) === 1) return 2;
  return to.every((octet, i) => octet === device.mac[i]) ? 0 : 3;
}

interface Layout {
  readonly headerBytes: number;
  readonly info: PacketInfo;
  readonly refused: string | null;
  readonly extensions: ReadonlyMap<number, Bdd> | null;
  readonly fragmented?: Bdd;
  readonly atomic?: Bdd;
  readonly unfit?: Bdd;
}

function networkLayout(network: Buffer, family: Packet['family']): Layout {
  if (family === 4) return ipv4Layout(network);
  if (family === 6) return ipv6Layout(network);
  return { headerBytes: network.length, info: unknownInfo, refused: null, extensions: null };
}

function unparsed(network: Buffer, refused: string): Layout {
  return { headerBytes: network.length, info: unknownInfo, refused, extensions: null };
}

/** As nft_set_pktinfo_ipv4_validate and ip_rcv_core look at it. */
function ipv4Layout(network: Buffer): Layout {
  if (network.length < 20) return unparsed(network, 'a truncated IPv4 header');
  const headerBytes = ((network[0] ?? 0) & 0xf) * 4;
  if ((network[0] ?? 0) >> 4 !== 4 || headerBytes < 20) return unparsed(network, 'no IPv4 header');
  const total = network.readUInt16BE(2);
  if (total > network.length || total < headerBytes) return unparsed(network, 'a length that lies');
  const info: PacketInfo = {
    known: always,
    protocol: numberBits(network[9] ?? 0, 8),
    later: (network.readUInt16BE(6) & 0x1fff) !== 0 ? always : never,
  };
  const refused = headerSum(network.subarray(0, headerBytes)) === 0xffff ? null : 'a wrong checksum';
  const fragmented = (network.readUInt16BE(6) & 0x3fff) !== 0 ? always : never;
  return { headerBytes, info, refused, extensions: null, fragmented };
}

function headerSum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i + 1 < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

const hopByHop = 0;
const routing = 43;
const fragment = 44;
const authentication = 51;
const noNext = 59;
const destinationOptions = 60;
const extensionHeaders = [hopByHop, routing, fragment, authentication, noNext, destinationOptions];

/** As ipv6_find_hdr walks it when it is asked for the last header. */
function ipv6Layout(network: Buffer): Layout {
  if (network.length < 40) return unparsed(network, 'a truncated IPv6 header');
  if ((network[0] ?? 0) >> 4 !== 6) return unparsed(network, 'no IPv6 header');
  if (network.readUInt16BE(4) + 40 > network.length) return unparsed(network, 'a length that lies');
  const extensions = new Map<number, Bdd>();
  let next = network[6] ?? 0;
  let offset = 40;
  let pieces: Pick<Layout, 'fragmented' | 'atomic' | 'unfit'> = {};
  while (extensionHeaders.includes(next) && next !== noNext) {
    if (offset + 8 > network.length) {
      return { ...unparsed(network, ''), headerBytes: 40, refused: null, extensions };
    }
    extensions.set(next, always);
    if (next === fragment) pieces = pieceOf(network, offset);
    const after = network[offset] ?? 0;
    if (next === fragment && (network.readUInt16BE(offset + 2) & 0xfff8) !== 0) {
      return { ...laterFragment(after, offset, extensions, network), ...pieces };
    }
    const size = network[offset + 1] ?? 0;
    offset += next === fragment ? 8 : next === authentication ? (size + 2) * 4 : (size + 1) * 8;
    next = after;
  }
  if (next === noNext) extensions.set(noNext, always);
  const info: PacketInfo = { known: always, protocol: numberBits(next, 8), later: never };
  return { headerBytes: Math.min(offset, network.length), info, refused: null, extensions, ...pieces };
}

function pieceOf(network: Buffer, offset: number): Pick<Layout, 'fragmented' | 'atomic' | 'unfit'> {
  const place = network.readUInt16BE(offset + 2);
  const whole = (place & 0xfff9) === 0;
  const dataBytes = network.readUInt16BE(4) + 40 - offset - 8;
  const unfit = (place & 1) === 1 && dataBytes % 8 !== 0;
  return {
    fragmented: whole ? never : always,
    atomic: whole ? always : never,
    unfit: unfit ? always : never,
  };
}

function laterFragment(
  next: number,
  offset: number,
  extensions: ReadonlyMap<number, Bdd>,
  network: Buffer,
): Layout {
  const readable = !extensionHeaders.includes(next) || next === noNext;
  if (!readable) return { ...unparsed(network, ''), headerBytes: 40, refused: null, extensions };
  const info: PacketInfo = { known: always, protocol: numberBits(next, 8), later: always };
  return { headerBytes: offset + 8, info, refused: null, extensions };
}
