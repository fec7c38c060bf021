/**
 * A packet on its way: headers, what netfilter noted about it, its connection. Every bit is a function of
 * the unknowns; of a known packet, each is a constant.
 */
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, iteBits } from '../../bdd/bit-vector.ts';
import type { IpFamily } from '../topology.ts';

/** Bits of a header: written over, or else those it came with; unknown ones are made when first read. */
export class HeaderBits {
  readonly #arrived: Bdd[];
  readonly #make: ((index: number) => Bdd) | null;
  readonly #written: Map<number, Bdd>;

  constructor(
    arrived: Bdd[],
    make: ((index: number) => Bdd) | null,
    written: ReadonlyMap<number, Bdd> = new Map(),
  ) {
    this.#arrived = arrived;
    this.#make = make;
    this.#written = new Map(written);
  }

  /** A copy whose writes do not show here; unknowns that are made later are shared. */
  copy(): HeaderBits {
    return new HeaderBits(this.#arrived, this.#make, this.#written);
  }

  /** Bytes that are known; the unknown go on beyond them. */
  get knownBytes(): number {
    return this.#make === null ? this.#arrived.length / 8 : Number.POSITIVE_INFINITY;
  }

  read(offset: number, length: number): Bdd[] {
    const bits: Bdd[] = [];
    for (let i = offset * 8; i < (offset + length) * 8; i += 1) bits.push(this.#bit(i));
    return bits;
  }

  #bit(index: number): Bdd {
    const written = this.#written.get(index);
    if (written !== undefined) return written;
    if (this.#make !== null)
      while (this.#arrived.length <= index) this.#arrived.push(this.#make(this.#arrived.length));
    return this.#arrived[index] ?? never;
  }

  write(bdds: Bdds, offset: number, value: Bits, when: Bdd): void {
    if (when === never) return;
    value.forEach((bit, i) => {
      const index = offset * 8 + i;
      this.#written.set(index, bdds.ite(when, bit, this.#bit(index)));
    });
  }
}

export interface Tuple {
  readonly source: Bits;
  readonly destination: Bits;
  readonly sourcePort: Bits;
  readonly destinationPort: Bits;
  readonly protocol: Bits;
}

/** The packet's connection as conntrack sees it at its lookup; supplied with the packet. */
export interface Connection {
  readonly isNew: Bdd;
  readonly established: Bdd;
  readonly related: Bdd;
  /** None of the three and tracked: conntrack refused the packet. */
  readonly invalid: Bdd;
  readonly reply: Bdd;
  readonly expected: Bdd;
  readonly seenReply: Bdd;
  readonly assured: Bdd;
  /** Of established and related: the flow's addresses are translated. */
  readonly sourceNat: Bdd;
  readonly destinationNat: Bdd;
  readonly mark: Bits;
  /** The tuple of the other direction, where an address is translated; null: none is. */
  readonly other: Tuple | null;
  /** Of a related packet: the tuple of its master in the packet's direction. */
  readonly own: Tuple | null;
}

/** What conntrack holds once it saw the packet. */
export interface Tracked {
  readonly connection: Connection;
  readonly original: Tuple;
  reply: Tuple;
  sourceNat: Bdd;
  destinationNat: Bdd;
  sourceDone: Bdd;
  destinationDone: Bdd;
  mark: Bits;
}

/** struct nft_pktinfo. */
export interface PacketInfo {
  readonly known: Bdd;
  readonly protocol: Bits;
  /** A fragment without the transport header. */
  readonly later: Bdd;
}

export interface Packet {
  /** Of the innermost EtherType. */
  readonly family: IpFamily | 'arp' | 'other';
  /** skb->protocol: after one tag was taken off. 16 bits. */
  protocol: Bits;
  /** From the destination address to the last EtherType, tags included; null: made here, none yet. */
  link: HeaderBits | null;
  network: HeaderBits;
  /** Bytes of the network header as long as they are known; beyond, reads go on in `transport`. */
  networkBytes: number | null;
  /** The network header is preceded by this many bytes of tags (a second tag, at ingress only). */
  innerTag: HeaderBits | null;
  transport: HeaderBits;
  /** Bytes behind the network header. 16 bits. */
  transportLength: Bits;
  /** meta length. 32 bits. */
  length: Bits;
  info: PacketInfo;
  /** 8 bits. */
  packetType: Bits;
  /** 32 bits, as a number. */
  mark: Bits;
  untracked: Bdd;
  readonly connection: Connection;
  /** null: conntrack has not seen it yet. */
  tracked: Tracked | null;
  /** A part of a datagram. */
  readonly fragmented: Bdd;
  /** Of those, the ones that IPv6 passes on as they are: their length is none that a fragment can have. */
  readonly unfit: Bdd;
  /** With an IPv6 fragment header, but whole. */
  readonly atomic: Bdd;
  /** IPv6 extension headers by their number; null: not known which. */
  extensions: ReadonlyMap<number, Bdd> | null;
}

export function copyPacket(packet: Packet): Packet {
  return {
    ...packet,
    link: packet.link?.copy() ?? null,
    network: packet.network.copy(),
    transport: packet.transport.copy(),
    tracked: packet.tracked === null ? null : { ...packet.tracked },
  };
}

export const addressPlaces = {
  4: { source: 12, destination: 16, bytes: 4 },
  6: { source: 8, destination: 24, bytes: 16 },
} as const;

export function addressBits(packet: Packet, which: 'source' | 'destination'): Bdd[] {
  if (packet.family !== 4 && packet.family !== 6)
    throw new TypeError(`no address in a ${packet.family} packet`);
  const places = addressPlaces[packet.family];
  return packet.network.read(places[which], places.bytes);
}

/** The connection of a packet that begins one. */
export function newConnection(): Connection {
  return {
    isNew: always,
    established: never,
    related: never,
    invalid: never,
    reply: never,
    expected: never,
    seenReply: never,
    assured: never,
    sourceNat: never,
    destinationNat: never,
    mark: constantBits([0, 0, 0, 0]),
    other: null,
    own: null,
  };
}

export function invert(tuple: Tuple): Tuple {
  return {
    source: tuple.destination,
    destination: tuple.source,
    sourcePort: tuple.destinationPort,
    destinationPort: tuple.sourcePort,
    protocol: tuple.protocol,
  };
}

export function iteTuple(bdds: Bdds, test: Bdd, then: Tuple, otherwise: Tuple): Tuple {
  const pick = (key: keyof Tuple) => iteBits(bdds, test, then[key], otherwise[key]);
  return {
    source: pick('source'),
    destination: pick('destination'),
    sourcePort: pick('sourcePort'),
    destinationPort: pick('destinationPort'),
    protocol: pick('protocol'),
  };
}
