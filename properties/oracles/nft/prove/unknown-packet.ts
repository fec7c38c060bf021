/** A packet of which nothing is known but its shape: each bit is a variable, lengths and flags fit together. */
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { addBits, type Bits, equalBits, iteBits, lessBits, numberBits } from '../../bdd/bit-vector.ts';
import type { Connection, Packet, PacketInfo, Tuple } from '../evaluate/packet.ts';
import { HeaderBits } from '../evaluate/packet.ts';
import type { Device } from '../topology.ts';
import { CodedBdds } from './classes.ts';
import { type RecordedField, Recording } from './recording.ts';

export type Tags = 0 | 1 | 2;

export interface Shape {
  readonly family: Packet['family'];
  /** VLAN tags; of more than two the IP layer takes none. */
  readonly tags: Tags;
}

export const shapes: readonly Shape[] = ([4, 6, 'arp', 'other'] as const).flatMap((family) =>
  ([0, 1, 2] as const).map((tags) => ({ family, tags })),
);

/** As it came, before anybody translated it. */
export interface Unknown {
  readonly shape: Shape;
  readonly arriving: Packet;
  readonly inside: Packet;
  /** What holds of every packet of the shape. */
  readonly valid: Bdd;
  /** The IP layer takes it: no tag names a VLAN. */
  readonly untagged: Bdd;
  readonly linkSource: Bits;
  readonly linkDestination: Bits;
  readonly source: Bits;
  readonly destination: Bits;
  readonly protocol: Bits;
  readonly sourcePort: Bits;
  readonly destinationPort: Bits;
  readonly connection: Connection;
  /** For the frame that a counterexample shows. */
  readonly parts: FrameParts;
}

export interface FrameParts {
  readonly link: Bits;
  readonly network: Bits;
  readonly transport: HeaderBits;
  readonly transportLength: Bits;
  readonly arrivingLength: Bits;
  readonly headerWords: Bits | null;
  readonly extensions: ReadonlyMap<number, Bdd>;
  readonly fragmented: Bdd;
  readonly later: Bdd;
  /** Without options and extension headers. */
  readonly plain: Bdd;
}

export class Variables {
  readonly bdds: Bdds;

  readonly #recorded: ReadonlyMap<string, RecordedField> | null;

  /** `recorded`: what a dry run was asked of each field; null: every field keeps its bits. */
  constructor(bdds: Bdds, recorded: ReadonlyMap<string, RecordedField> | null) {
    this.bdds = bdds;
    this.#recorded = recorded;
  }

  bits(count: number): Bdd[] {
    return Array.from({ length: count }, () => this.bdds.variable());
  }

  /** A field that may be coded by the classes of its values. */
  field(name: string, width: number): Bdd[] {
    if (this.bdds instanceof Recording) return this.bdds.field(name, width);
    const recorded = this.#recorded?.get(name);
    if (recorded === undefined || recorded.exact || !(this.bdds instanceof CodedBdds))
      return this.bits(width);
    return this.bdds.code(width, recorded);
  }

  /** Two vectors that are compared with each other: their variables alternate, or the diagrams explode. */
  pair(count: number): [Bdd[], Bdd[]] {
    const both = this.bits(count * 2);
    return [both.filter((_, i) => i % 2 === 0), both.filter((_, i) => i % 2 === 1)];
  }
}

/** No IP datagram is longer than its length field says it can be. */
const maxData = 65_535 - 60;

interface Network {
  readonly header: Bits;
  readonly source: Bits;
  readonly destination: Bits;
  readonly protocol: Bits;
  readonly info: PacketInfo;
  readonly fragmented: Bdd;
  readonly atomic: Bdd;
  readonly extensions: ReadonlyMap<number, Bdd> | null;
  readonly headerWords: Bits | null;
  readonly plain: Bdd;
  /** Bytes of the IP header and what lies between it and the transport header. 32 bits. */
  readonly headerLength: Bits;
  readonly valid: Bdd;
}

/** `device`: the one that receives it. */
export function unknownPacket(variables: Variables, shape: Shape, device: Device): Unknown {
  const { bdds } = variables;
  // Flags come first: what depends on them then splits once, at the top.
  const flags = connectionFlags(variables);
  // Ports have fewer classes than addresses: rules that name both split best by port.
  const ports = { destination: variables.field('dport', 16), source: variables.field('sport', 16) };
  const [dataLength, arrivingLength] = variables.pair(16);
  const network = unknownNetwork(variables, shape, dataLength);
  const link = unknownLink(variables, shape);
  const transport = new HeaderBits([...ports.source, ...ports.destination], () => bdds.variable());
  const connection = unknownConnection(variables, network, flags);
  const wide = (bits: Bits) => [...new Array<Bdd>(32 - bits.length).fill(never), ...bits];
  const inside: Packet = {
    family: shape.family,
    protocol: link.inner,
    link: new HeaderBits([...link.destination, ...link.source, ...link.inner], null),
    network: new HeaderBits(
      [...network.header],
      shape.family === 4 || shape.family === 6 ? null : () => bdds.variable(),
    ),
    networkBytes: null,
    innerTag: null,
    transport,
    transportLength: dataLength,
    length: addBits(bdds, network.headerLength, wide(dataLength)),
    info: network.info,
    packetType: packetTypeOf(bdds, link.destination, device),
    mark: numberBits(0, 32),
    untracked: never,
    connection,
    tracked: null,
    fragmented: network.fragmented,
    atomic: network.atomic,
    unfit: shape.family === 6 ? bdds.and(network.fragmented, bdds.variable()) : never,
    extensions: network.extensions,
  };
  const tagBytes = numberBits(shape.tags === 2 ? 4 : 0, 32);
  const arriving: Packet = {
    ...inside,
    protocol: shape.tags === 2 ? (link.tagTypes[1] ?? link.inner) : link.inner,
    link: new HeaderBits([...link.whole], null),
    innerTag: shape.tags === 2 ? new HeaderBits([...link.whole.slice(18 * 8)], null) : null,
    transportLength: arrivingLength,
    length: addBits(bdds, addBits(bdds, network.headerLength, wide(arrivingLength)), tagBytes),
    info: shape.tags === 2 ? { known: never, protocol: numberBits(0, 8), later: never } : network.info,
  };
  const fits = lessBits(bdds, numberBits(maxData, 16), arrivingLength) ^ 1;
  const padded = lessBits(bdds, arrivingLength, dataLength) ^ 1;
  return {
    shape,
    arriving,
    inside,
    valid: bdds.all([network.valid, fits, padded, link.valid]),
    untagged: link.untagged,
    linkSource: link.source,
    linkDestination: link.destination,
    source: network.source,
    destination: network.destination,
    protocol: network.protocol,
    sourcePort: ports.source,
    destinationPort: ports.destination,
    connection,
    parts: {
      link: link.whole,
      network: network.header,
      transport,
      transportLength: dataLength,
      arrivingLength,
      headerWords: network.headerWords,
      extensions: network.extensions ?? new Map(),
      fragmented: network.fragmented,
      later: network.info.later,
      plain: network.plain,
    },
  };
}

function unknownNetwork(variables: Variables, { family }: Shape, dataLength: Bits): Network {
  if (family === 4) return unknownIpv4(variables, dataLength);
  if (family === 6) return unknownIpv6(variables, dataLength);
  const info = { known: never, protocol: numberBits(0, 8), later: never };
  const header = family === 'arp' ? variables.bits(28 * 8) : [];
  return {
    header,
    source: [],
    destination: [],
    protocol: info.protocol,
    info,
    fragmented: never,
    atomic: never,
    extensions: null,
    headerWords: null,
    plain: always,
    headerLength: numberBits(header.length / 8, 32),
    valid: always,
  };
}

function unknownIpv4(variables: Variables, dataLength: Bits): Network {
  const { bdds } = variables;
  const fragment = variables.bits(16);
  const protocol = variables.bits(8);
  const destination = variables.field('daddr', 32);
  const source = variables.field('saddr', 32);
  const headerWords = variables.bits(4);
  const headerLength = [...new Array<Bdd>(26).fill(never), ...headerWords, never, never];
  const total = addBits(bdds, headerLength.slice(16), dataLength);
  const [hops, service, id, sum] = [
    variables.bits(8),
    variables.bits(8),
    variables.bits(16),
    variables.bits(16),
  ];
  const later = bdds.any(fragment.slice(3));
  return {
    header: [
      ...numberBits(4, 4),
      ...headerWords,
      ...service,
      ...total,
      ...id,
      ...fragment,
      ...hops,
      ...protocol,
      ...sum,
      ...source,
      ...destination,
    ],
    source,
    destination,
    protocol,
    info: { known: always, protocol, later },
    fragmented: bdds.or(later, fragment[2] as Bdd),
    atomic: never,
    extensions: null,
    headerWords,
    plain: equalBits(bdds, headerWords, numberBits(5, 4)),
    headerLength,
    valid: lessBits(bdds, headerWords, numberBits(5, 4)) ^ 1,
  };
}

const chained = [0, 43, 44, 51, 60] as const;
const noNext = 59;

function unknownIpv6(variables: Variables, dataLength: Bits): Network {
  const { bdds } = variables;
  const chain = bdds.variable();
  const extensions = new Map<number, Bdd>(
    [...chained, noNext].map((number) => [number, bdds.and(chain, bdds.variable())]),
  );
  const [known, piece, later] = [bdds.variable(), bdds.variable(), bdds.variable()];
  const fragmented = bdds.and(extensions.get(44) ?? never, piece);
  const next = variables.bits(8);
  const protocol = variables.bits(8);
  const destination = variables.field('daddr', 128);
  const source = variables.field('saddr', 128);
  const [hops, service, flow, payload] = [
    variables.bits(8),
    variables.bits(8),
    variables.bits(20),
    variables.bits(16),
  ];
  const extra = variables.bits(11);
  const extraLength = [...new Array<Bdd>(21).fill(never), ...extra.map((bit) => bdds.and(chain, bit))];
  const isIn = (bits: Bits, numbers: readonly number[]) =>
    bdds.any(numbers.map((number) => equalBits(bdds, bits, numberBits(number, 8))));
  const named = bdds.all(
    chained.map((number) =>
      bdds.or(isIn(next, [number]) ^ 1, bdds.or(chain ^ 1, extensions.get(number) ?? never)),
    ),
  );
  const header = [
    ...numberBits(6, 4),
    ...service,
    ...flow,
    ...iteBits(bdds, chain, payload, dataLength),
    ...iteBits(bdds, chain, next, protocol),
    ...hops,
    ...source,
    ...destination,
  ];
  return {
    header,
    source,
    destination,
    protocol,
    info: { known: bdds.or(chain ^ 1, known), protocol, later: bdds.and(fragmented, later) },
    fragmented,
    atomic: bdds.and(extensions.get(44) ?? never, piece ^ 1),
    extensions,
    headerWords: null,
    plain: chain ^ 1,
    headerLength: addBits(bdds, numberBits(40, 32), extraLength),
    valid: bdds.all([isIn(protocol, chained) ^ 1, bdds.or(chain ^ 1, isIn(next, chained)), named]),
  };
}

const etherTypes = { 4: 0x0800, 6: 0x86dd, arp: 0x0806 } as const;
const known = [0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8];

function unknownLink(variables: Variables, { family, tags }: Shape) {
  const { bdds } = variables;
  const destination = variables.bits(48);
  const source = variables.bits(48);
  const inner = family === 'other' ? variables.bits(16) : numberBits(etherTypes[family], 16);
  const tagTypes: Bits[] = [];
  const controls: Bits[] = [];
  for (let i = 0; i < tags; i += 1) {
    tagTypes.push(iteBits(bdds, bdds.variable(), numberBits(0x88a8, 16), numberBits(0x8100, 16)));
    controls.push(variables.bits(16));
  }
  const words = tagTypes.flatMap((type, i) => [...type, ...(controls[i] as Bits)]);
  const other = known.map((type) => equalBits(bdds, inner, numberBits(type, 16)) ^ 1);
  return {
    destination,
    source,
    inner,
    tagTypes,
    whole: [...destination, ...source, ...words, ...inner],
    untagged: bdds.all(controls.map((control) => bdds.any(control.slice(4)) ^ 1)),
    valid: family === 'other' ? bdds.all(other) : always,
  };
}

function packetTypeOf(bdds: Bdds, destination: Bits, device: Device): Bdd[] {
  const everybody = bdds.all(destination);
  const group = destination[7] as Bdd;
  const mine = equalBits(
    bdds,
    destination,
    device.mac.flatMap((octet) => numberBits(octet, 8)),
  );
  const value = (number: number) => numberBits(number, 8);
  const rest = iteBits(bdds, mine, value(0), value(3));
  return iteBits(bdds, everybody, value(1), iteBits(bdds, group, value(2), rest));
}

/** Any state, in either direction, translated in any way. */
function connectionFlags(variables: Variables): Omit<Connection, 'mark' | 'other' | 'own'> {
  const { bdds } = variables;
  const [a, b, way] = [bdds.variable(), bdds.variable(), bdds.variable()];
  const established = bdds.and(a ^ 1, b);
  const related = bdds.and(a, b ^ 1);
  const flow = bdds.or(established, related);
  const free = () => bdds.and(flow, bdds.variable());
  return {
    isNew: bdds.and(a ^ 1, b ^ 1),
    established,
    related,
    invalid: bdds.and(a, b),
    reply: bdds.and(flow, way),
    sourceNat: free(),
    destinationNat: free(),
    seenReply: free(),
    assured: free(),
    expected: bdds.variable(),
  };
}

function unknownConnection(
  variables: Variables,
  network: Network,
  flags: Omit<Connection, 'mark' | 'other' | 'own'>,
): Connection {
  const { bdds } = variables;
  const flow = bdds.or(flags.established, flags.related);
  return {
    ...flags,
    mark: variables.bits(32).map((bit) => bdds.and(flow, bit)),
    other: unknownTuple(variables, network, 'other'),
    own: unknownTuple(variables, network, 'own'),
  };
}

function unknownTuple(variables: Variables, { source, protocol }: Network, name: string): Tuple {
  return {
    source: variables.field(`${name} source`, source.length),
    destination: variables.field(`${name} destination`, source.length),
    sourcePort: variables.field(`${name} sport`, 16),
    destinationPort: variables.field(`${name} dport`, 16),
    protocol,
  };
}
