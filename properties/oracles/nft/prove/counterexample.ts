/** A counterexample as people read it: fields, the frame in hex, and what the evaluator says of that frame. */
import { addressText } from '../../addresses/address-number.ts';
import type { Bdd, Bdds } from '../../bdd/bdd.ts';
import { type Bits, constantBits, equalBits, numberBits } from '../../bdd/bit-vector.ts';
import { Decider } from '../decide.ts';
import type { Connection, Tuple } from '../evaluate/packet.ts';
import type { Outcome } from '../evaluate/pipeline.ts';
import { NotUnderstood, type Ruleset } from '../ruleset.ts';
import type { Topology } from '../topology.ts';
import type { Unknown } from './unknown-packet.ts';

export interface CounterexamplePacket {
  readonly fields: Readonly<Record<string, string>>;
  /** From the Ethernet header on; of a packet of this host, from its IP header on. Checksums are right. */
  readonly frame: Buffer;
  readonly connection: Connection;
  readonly outcome: string;
  /**
   * The frame, decided by itself, comes to the same outcome; false: the counterexample rests on something
   * unknown (fragments, data behind options, the kernel's choice), and may not exist.
   */
  readonly confirmed: boolean;
  /** The rules that decide the frame, `table chain rule verdict`. */
  readonly rules: readonly string[];
}

type Assignment = ReadonlyMap<number, boolean>;

interface Asked {
  readonly ruleset: Ruleset;
  readonly topology: Topology;
  readonly device: string | null;
}

export function describe(
  bdds: Bdds,
  asked: Asked,
  unknown: Unknown,
  outcome: Outcome,
  assignment: Assignment,
): CounterexamplePacket {
  const read = (bits: Bits) => numberOf(bdds, bits, assignment);
  const frame = frameOf(bdds, unknown, assignment, asked.device !== null);
  const connection = fixConnection(bdds, unknown.connection, assignment);
  const { confirmed, rules } = confirm(asked, frame, connection, outcome);
  const fields: Record<string, string> = {};
  const mac = (bits: Bits) => (read(bits).toString(16).padStart(12, '0').match(/../g) ?? []).join(':');
  if (asked.device !== null) {
    fields['ether saddr'] = mac(unknown.linkSource);
    fields['ether daddr'] = mac(unknown.linkDestination);
  }
  const { family, tags } = unknown.shape;
  if (tags > 0) fields['vlan tags'] = String(tags);
  if (family === 4 || family === 6) {
    const address = (bits: Bits) => addressText({ family, value: read(bits) });
    fields.saddr = address(unknown.source);
    fields.daddr = address(unknown.destination);
    fields.protocol = String(read(unknown.protocol));
    fields.sport = String(read(unknown.sourcePort));
    fields.dport = String(read(unknown.destinationPort));
    fields['ct state'] = stateOf(bdds, unknown.connection, assignment);
    if (bdds.valueOf(unknown.parts.fragmented, assignment)) fields.fragment = 'part of a datagram';
  }
  const device = outcome.device === null ? '' : ` ${outcome.device.name}`;
  const words = `${outcome.kind}${device}${outcome.reason === '' ? '' : ` (${outcome.reason})`}`;
  return { fields, frame, connection, outcome: words, confirmed, rules };
}

function numberOf(bdds: Bdds, bits: Bits, assignment: Assignment): bigint {
  return bits.reduce((value, bit) => (value << 1n) | (bdds.valueOf(bit, assignment) ? 1n : 0n), 0n);
}

function bytesOf(bdds: Bdds, bits: Bits, assignment: Assignment): Buffer {
  const bytes = Buffer.alloc(bits.length / 8);
  bits.forEach((bit, i) => {
    if (bdds.valueOf(bit, assignment)) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7));
  });
  return bytes;
}

function stateOf(bdds: Bdds, connection: Connection, assignment: Assignment): string {
  const states = { new: connection.isNew, established: connection.established, related: connection.related };
  const found = Object.entries(states).find(([, when]) => bdds.valueOf(when, assignment));
  const direction = bdds.valueOf(connection.reply, assignment) ? ', reply' : '';
  return `${found?.[0] ?? 'invalid'}${direction}`;
}

/** A connection without unknowns. */
function fixConnection(bdds: Bdds, connection: Connection, assignment: Assignment): Connection {
  const bit = (when: Bdd): Bdd => (bdds.valueOf(when, assignment) ? 0 : 1);
  const bits = (value: Bits) => value.map(bit);
  const tuple = (value: Tuple | null) =>
    value === null
      ? null
      : {
          source: bits(value.source),
          destination: bits(value.destination),
          sourcePort: bits(value.sourcePort),
          destinationPort: bits(value.destinationPort),
          protocol: bits(value.protocol),
        };
  return {
    isNew: bit(connection.isNew),
    established: bit(connection.established),
    related: bit(connection.related),
    invalid: bit(connection.invalid),
    reply: bit(connection.reply),
    expected: bit(connection.expected),
    seenReply: bit(connection.seenReply),
    assured: bit(connection.assured),
    sourceNat: bit(connection.sourceNat),
    destinationNat: bit(connection.destinationNat),
    mark: bits(connection.mark),
    own: tuple(connection.own),
    other: tuple(connection.other),
  };
}

const maxDataBytes = 9_000;

function frameOf(bdds: Bdds, unknown: Unknown, assignment: Assignment, received: boolean): Buffer {
  const { parts, shape } = unknown;
  const bytes = (bits: Bits) => bytesOf(bdds, bits, assignment);
  const data = Math.min(Number(numberOf(bdds, parts.transportLength, assignment)), maxDataBytes);
  const padded = Math.min(Number(numberOf(bdds, parts.arrivingLength, assignment)), maxDataBytes);
  const transport = bytes(parts.transport.read(0, data));
  const fixed = bytes(parts.network);
  const padding = received ? Buffer.alloc(Math.max(0, padded - data)) : Buffer.alloc(0);
  const link = received ? bytes(parts.link) : Buffer.alloc(0);
  if (shape.family === 4) {
    const words = parts.headerWords === null ? 5 : Number(numberOf(bdds, parts.headerWords, assignment));
    const header = Buffer.concat([fixed, Buffer.alloc((words - 5) * 4, 1)]);
    return Buffer.concat([link, withChecksum(header), transport, padding]);
  }
  if (shape.family === 6) {
    const chain = chainOf(bdds, unknown, assignment);
    fixed.writeUInt16BE(chain.length + transport.length, 4);
    return Buffer.concat([link, fixed, chain, transport, padding]);
  }
  return Buffer.concat([link, fixed, transport, padding]);
}

function withChecksum(header: Buffer): Buffer {
  header.writeUInt16BE(0, 10);
  let sum = 0;
  for (let i = 0; i + 1 < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return header;
}

/** The extension headers that are said to be there, the one first that the fixed header names. */
function chainOf(bdds: Bdds, unknown: Unknown, assignment: Assignment): Buffer {
  const { parts } = unknown;
  const first = Number(numberOf(bdds, parts.network.slice(48, 56), assignment));
  const there = [...parts.extensions.keys()].filter(
    (number) => number !== 59 && bdds.valueOf(parts.extensions.get(number) ?? 1, assignment),
  );
  const order = there.includes(first) ? [first, ...there.filter((number) => number !== first)] : [];
  const last = Number(numberOf(bdds, unknown.protocol, assignment));
  return Buffer.concat(
    order.map((number, i) => {
      const next = order[i + 1] ?? last;
      if (number !== 44) return Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
      const later = bdds.valueOf(parts.later, assignment);
      const piece = bdds.valueOf(parts.fragmented, assignment);
      return Buffer.from([next, 0, 0, later ? 8 : piece ? 1 : 0, 0, 0, 0, 1]);
    }),
  );
}

/** Limits are tried both ways. */
function confirm(
  { ruleset, topology, device }: Asked,
  frame: Buffer,
  connection: Connection,
  wanted: Outcome,
) {
  for (const limits of [true, false]) {
    try {
      const { outcome, steps } = new Decider(ruleset, topology, { limits }).decide({
        device,
        frame,
        connection,
      });
      const same = outcome.kind === wanted.kind && outcome.device?.name === wanted.device?.name;
      const rules = steps
        .filter(({ rule, verdict }) => rule === null || verdict.code !== 'continue')
        .map(({ table, chain, rule, verdict }) => {
          const place = rule === null ? 'policy' : `rule ${rule.handle}`;
          return `${table.family} ${table.name} ${chain} ${place}: ${verdict.code}`;
        });
      if (same) return { confirmed: true, rules };
    } catch (error) {
      if (!(error instanceof NotUnderstood || error instanceof RangeError)) throw error;
    }
  }
  return { confirmed: false, rules: [] };
}

/** For questions: a field equals a number. */
export function equals(bdds: Bdds, bits: Bits, value: number | bigint): Bdd {
  return equalBits(bdds, bits, numberBits(value, bits.length));
}

/** For questions: a field equals these octets. */
export function equalsOctets(bdds: Bdds, bits: Bits, octets: readonly number[]): Bdd {
  return equalBits(bdds, bits, constantBits(octets));
}
