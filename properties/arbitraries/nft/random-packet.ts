/**
 * Random packets with what conntrack will think of them: first packets of flows, packets of flows that the
 * caller sets up beforehand, errors that belong to one, and packets that conntrack refuses.
 */
import type { Dice } from './dice.ts';
import { datagram, frame, icmpEcho, summed, tcp, udp } from './frame-bytes.ts';
import {
  ipv4Destinations,
  ipv4Sources,
  ipv6Destinations,
  ipv6Sources,
  macs,
  marks,
  ports,
  uplinkAddress,
} from './pools.ts';

/** A flow that conntrack is told before the packet comes. Addresses and ports of its first direction. */
export interface Flow {
  readonly protocol: 6 | 17;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly assured: boolean;
  /** The source that the other side sees; null: untranslated. */
  readonly translatedTo: string | null;
}

export type TrackedAs =
  | { readonly state: 'new' | 'invalid' }
  | { readonly state: 'established' | 'related'; readonly flow: Flow; readonly reply: boolean };

export interface RandomPacket {
  /** Received by the tap; null: sent by this host, from the IP header on. */
  readonly device: 'tap' | 'uplink' | null;
  readonly frame: Buffer;
  readonly tracked: TrackedAs;
}

/** `serial` makes ports and identifiers unique among the packets that see one conntrack table; below 30,000. */
export function randomPacket(dice: Dice, serial: number, flows: boolean): RandomPacket {
  return dice.weighed<RandomPacket>([
    [52, () => ipv4Packet(dice, serial)],
    [18, () => ipv6Packet(dice, serial, flows)],
    [flows ? 16 : 0, () => knownFlow(dice, serial)],
    [flows ? 4 : 0, () => errorOfFlow(dice, serial)],
    [4, () => arpFrame(dice)],
    [2, () => oddFrame(dice, serial)],
    [8, () => ownPacket(dice, serial)],
  ]);
}

const portOf = (serial: number) => 20_000 + serial;

interface Segment {
  readonly protocol: number;
  readonly bytes: Buffer;
  readonly state: 'new' | 'invalid';
}

const tcpFlags: readonly (readonly [flags: number, state: 'new' | 'invalid'])[] = [
  [0x02, 'new'],
  [0x02, 'new'],
  [0x10, 'new'],
  [0x18, 'new'],
  [0x12, 'invalid'],
  [0x04, 'invalid'],
  [0x11, 'invalid'],
  [0x03, 'invalid'],
  [0x00, 'invalid'],
  [0x3f, 'invalid'],
];

function segment(dice: Dice, serial: number, family: 4 | 6): Segment {
  const port = dice.pick(ports);
  const echo = family === 4 ? ([8, 0] as const) : ([128, 129] as const);
  return dice.weighed<Segment>([
    [
      40,
      () => {
        const [flags, state] = dice.pick(tcpFlags);
        return { protocol: 6, bytes: tcp(portOf(serial), port, flags, dice.word()), state };
      },
    ],
    [
      40,
      () => ({
        protocol: 17,
        bytes: udp(portOf(serial), port, Buffer.alloc(dice.between(0, 24), 0x61)),
        state: 'new',
      }),
    ],
    [
      14,
      () => {
        const reply = dice.chance(25);
        return {
          protocol: family === 4 ? 1 : 58,
          bytes: icmpEcho(reply ? echo[1] : echo[0], portOf(serial)),
          state: reply ? 'invalid' : 'new',
        };
      },
    ],
    // One flow for each pair of addresses and protocol: without ports a second packet would belong to it.
    [
      serial < unassigned.count ? 20 : 0,
      () => ({ protocol: unassigned.first + serial, bytes: Buffer.alloc(dice.between(0, 12)), state: 'new' }),
    ],
  ]);
}

/** Protocol numbers that IANA gave to nobody. */
const unassigned = { first: 148, count: 105 } as const;

function link(dice: Dice, type: number) {
  const to = dice.weighed<readonly number[]>([
    [82, () => macs.tap],
    [6, () => macs.broadcast],
    [4, () => macs.multicast],
    [4, () => macs.multicast6],
    [4, () => macs.stranger],
  ]);
  const tag = (control: number) => ({ type: dice.pick([0x8100, 0x88a8]), control });
  const tags = dice.weighed<{ type: number; control: number }[]>([
    [86, () => []],
    [4, () => [tag(0)]],
    [2, () => [tag(0x6000)]],
    [3, () => [tag(5)]],
    [3, () => [tag(0), tag(0)]],
    [2, () => [tag(dice.pick([0, 5])), tag(dice.pick([0, 5, 7]))]],
  ]);
  return { to, from: dice.chance(80) ? macs.guest : macs.stranger, tags, type };
}

function hops(dice: Dice): number {
  return dice.pick([64, 64, 64, 63, 1, 2, 255, 0]);
}

/** Truncated or with a wrong checksum, a segment has no connection. */
function damaged(dice: Dice, made: Segment, source: string, destination: string): Segment {
  if (dice.chance(4)) {
    const bytes = made.bytes.subarray(0, dice.between(0, made.protocol === 6 ? 19 : 7));
    return { ...made, bytes, state: made.protocol >= unassigned.first ? 'new' : 'invalid' };
  }
  const wrong = made.protocol < unassigned.first && dice.chance(3);
  const bytes = summed(made.bytes, made.protocol, source, destination, wrong);
  return { ...made, bytes, state: wrong ? 'invalid' : made.state };
}

function ipv4Packet(dice: Dice, serial: number): RandomPacket {
  const source = dice.pick(ipv4Sources);
  const destination = dice.pick(ipv4Destinations);
  const made = damaged(dice, segment(dice, serial, 4), source, destination);
  const fragment = dice.weighed([
    [88, () => 0],
    [5, () => 0x4000],
    [3, () => 0x2000],
    [2, () => 0x2000 | dice.pick([1, 2, 185])],
    [2, () => dice.pick([1, 3, 185])],
  ]);
  const options = dice.chance(6) ? Buffer.alloc(dice.pick([4, 8, 40]), 1) : undefined;
  const pieces = (fragment & 0x2000) !== 0;
  const bytes = pieces ? made.bytes.subarray(0, made.bytes.length & ~7) : made.bytes;
  const ip = datagram({
    source,
    destination,
    protocol: made.protocol,
    payload: pieces && bytes.length === 0 ? Buffer.alloc(8) : bytes,
    hops: hops(dice),
    service: dice.pick([0, 0, 0x20, 0xb8]),
    id: serial,
    fragment,
    ...(options === undefined ? {} : { options }),
  });
  const padded = dice.chance(10) ? Buffer.concat([ip, Buffer.alloc(dice.between(1, 30), 0x7a)]) : ip;
  return { device: 'tap', frame: frame(link(dice, 0x0800), padded), tracked: { state: made.state } };
}

function ipv6Packet(dice: Dice, serial: number, tracks: boolean): RandomPacket {
  const source = dice.pick(ipv6Sources);
  const destination = dice.pick(ipv6Destinations);
  const made = damaged(
    dice,
    dice.chance(8) ? discovery(dice) : segment(dice, serial, 6),
    source,
    destination,
  );
  const extensions = dice.chance(tracks ? 12 : 30) ? chain(dice, made.protocol, tracks) : undefined;
  const ip = datagram({
    source,
    destination,
    protocol: made.protocol,
    payload: made.bytes,
    hops: hops(dice),
    service: dice.pick([0, 0, 0x20]),
    ...(extensions === undefined ? {} : { extensions }),
  });
  // What conntrack does not collect, since its length is that of no piece, has no ports that it could read.
  const state = extensions?.isLater === true ? 'invalid' : made.state;
  return { device: 'tap', frame: frame(link(dice, 0x86dd), ip), tracked: { state } };
}

/** Neighbour and multicast listener discovery: conntrack leaves it alone, unless it is damaged. */
function discovery(dice: Dice): Segment {
  const bytes = Buffer.alloc(24);
  bytes[0] = dice.pick([133, 134, 135, 136, 130, 143]);
  return { protocol: 58, bytes, state: 'new' };
}

/** Hop-by-hop and destination options, padded; fragments only where conntrack does not collect them. */
function chain(dice: Dice, protocol: number, tracks: boolean) {
  let isLater = false;
  const numbers = dice.weighed<number[]>([
    [4, () => [0]],
    [4, () => [60]],
    [2, () => [0, 60]],
    [1, () => [60, 60]],
    [tracks ? 0 : 8, () => [44]],
    [tracks ? 0 : 2, () => [60, 44]],
    [tracks ? 0 : 2, () => [44, 60]],
  ]);
  const data = numbers.map((number, i) => {
    const next = numbers[i + 1] ?? protocol;
    if (number !== 44) return Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
    const [high, low] = dice.pick([
      [0, 0],
      [0, 1],
      [0, 8],
      [0, 9],
      [5, 0xc8],
    ] as const);
    if (high !== 0 || low > 7) isLater = true;
    return Buffer.from([next, 0, high, low, 0, 0, 0, dice.below(256)]);
  });
  return { first: numbers[0] as number, data: Buffer.concat(data), isLater };
}

function arpFrame(dice: Dice): RandomPacket {
  const arp = Buffer.alloc(28);
  arp.writeUInt32BE(0x0001_0800, 0);
  arp.writeUInt16BE(0x0604, 4);
  arp.writeUInt16BE(dice.pick([1, 1, 2]), 6);
  Buffer.from(dice.chance(70) ? macs.guest : macs.stranger).copy(arp, 8);
  Buffer.from([10, 1, 0, dice.pick([2, 2, 1, 0])]).copy(arp, 14);
  Buffer.from([10, 1, 0, 1]).copy(arp, 24);
  return { device: 'tap', frame: frame(link(dice, 0x0806), arp), tracked: { state: 'new' } };
}

/** Malformed headers, lengths that lie, EtherTypes of nobody. */
function oddFrame(dice: Dice, serial: number): RandomPacket {
  const source = dice.pick(ipv4Sources);
  const destination = dice.pick(ipv4Destinations);
  const ip = datagram({
    source,
    destination,
    protocol: 17,
    payload: summed(udp(portOf(serial), 53, Buffer.alloc(4)), 17, source, destination),
    hops: 64,
  });
  const spoil: (() => Buffer)[] = [
    () => setOctet(ip, 0, 0x35),
    () => setOctet(ip, 0, 0x44),
    () => setOctet(ip, 0, 0x4f),
    () => setOctet(ip, 3, 200),
    () => setOctet(ip, 3, 10),
    () => setOctet(ip, 10, (ip[10] ?? 0) ^ 1),
    () => ip.subarray(0, dice.between(2, 19)),
    () => Buffer.alloc(40, 0x60),
  ];
  const type = dice.pick([0x0800, 0x0800, 0x0800, 0x86dd, 0x88cc, 0x9000]);
  return { device: 'tap', frame: frame(link(dice, type), dice.pick(spoil)()), tracked: { state: 'new' } };
}

function setOctet(data: Buffer, offset: number, value: number): Buffer {
  const made = Buffer.from(data);
  made[offset] = value;
  return made;
}

function randomFlow(dice: Dice, serial: number): Flow {
  const outward = dice.chance(75);
  return {
    protocol: dice.pick([6, 17]),
    source: outward ? '10.1.0.2' : '8.8.8.8',
    destination: outward ? dice.pick(['8.8.8.8', '93.184.216.34', '10.1.0.1']) : uplinkAddress,
    sourcePort: portOf(serial),
    destinationPort: dice.pick([53, 80, 443]),
    mark: dice.pick(marks),
    // A packet of an established flow may assure it while it is looked up.
    assured: true,
    translatedTo: null,
  };
}

function flowSegment(dice: Dice, protocol: 6 | 17, from: number, to: number): Buffer {
  return protocol === 6 ? tcp(from, to, 0x10, dice.word()) : udp(from, to, Buffer.alloc(4, 0x62));
}

function knownFlow(dice: Dice, serial: number): RandomPacket {
  const plain = randomFlow(dice, serial);
  const leaves = plain.source === '10.1.0.2' && plain.destination !== '10.1.0.1';
  const flow = { ...plain, translatedTo: leaves && dice.chance(60) ? uplinkAddress : null };
  const reply = dice.chance(50);
  const [source, destination] = reply
    ? [flow.destination, flow.translatedTo ?? flow.source]
    : [flow.source, flow.destination];
  const [from, to] = reply
    ? [flow.destinationPort, flow.sourcePort]
    : [flow.sourcePort, flow.destinationPort];
  const ip = datagram({
    source,
    destination,
    protocol: flow.protocol,
    payload: summed(flowSegment(dice, flow.protocol, from, to), flow.protocol, source, destination),
    hops: 64,
    id: serial,
  });
  const fromTap = source === '10.1.0.2' || destination === '10.1.0.1';
  return fromSide(ip, fromTap && source !== '10.1.0.1', { state: 'established', flow, reply });
}

/** An ICMP error about a packet of the flow's first direction. */
function errorOfFlow(dice: Dice, serial: number): RandomPacket {
  const flow = { ...randomFlow(dice, serial), source: '10.1.0.2', destination: '8.8.8.8' };
  const inner = datagram({
    source: flow.source,
    destination: flow.destination,
    protocol: flow.protocol,
    payload: flowSegment(dice, flow.protocol, flow.sourcePort, flow.destinationPort),
    hops: 60,
  });
  const message = Buffer.concat([Buffer.from([3, dice.between(0, 3), 0, 0, 0, 0, 0, 0]), inner]);
  const source = dice.pick(['8.8.8.8', '172.20.0.5', '93.184.216.34']);
  const payload = summed(message, 1, source, flow.source);
  const ip = datagram({ source, destination: flow.source, protocol: 1, payload, hops: 64, id: serial });
  return fromSide(ip, false, { state: 'related', flow, reply: true });
}

function fromSide(ip: Buffer, tap: boolean, tracked: TrackedAs): RandomPacket {
  const to = tap ? macs.tap : macs.uplink;
  const ethernet = frame({ to, from: macs.guest, tags: [], type: 0x0800 }, ip);
  return { device: tap ? 'tap' : 'uplink', frame: ethernet, tracked };
}

/** Sent through a raw socket, which fills in what is 0 in the header: so nothing is. */
function ownPacket(dice: Dice, serial: number): RandomPacket {
  const destination = dice.pick(['8.8.8.8', '10.1.0.2', '93.184.216.34', '192.168.7.7', '169.254.169.254']);
  const source = dice.pick([uplinkAddress, '10.1.0.1']);
  const made = segment(dice, serial, 4);
  const payload = summed(made.bytes, made.protocol, source, destination);
  const ip = datagram({ source, destination, protocol: made.protocol, payload, hops: 64, id: serial + 1 });
  return { device: null, frame: ip, tracked: { state: made.state } };
}
