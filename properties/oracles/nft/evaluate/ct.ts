/** Connection tracking: its lookup, ct expressions (nft_ct_get_eval), and marks that rules set. */
import { type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, equalBits, iteBits, numberBits } from '../../bdd/bit-vector.ts';
import type { Expression } from '../ruleset.ts';
import {
  addressBits,
  type Connection,
  invert,
  iteTuple,
  type Packet,
  type Tracked,
  type Tuple,
} from './packet.ts';
import { hostOrder, type RuleRun } from './rule-run.ts';

type Ct = Extract<Expression, { readonly kind: 'ct' }>;
type CtSet = Extract<Expression, { readonly kind: 'ct-set' }>;

export const portProtocols = { tcp: 6, udp: 17, udplite: 136, sctp: 132 } as const;
const icmp = { 4: 1, 6: 58 } as const;

export function isProtocol(bdds: Bdds, packet: Packet, protocols: readonly number[]): Bdd {
  return bdds.any(protocols.map((one) => equalBits(bdds, packet.info.protocol, numberBits(one, 8))));
}

/** The packet's tuple: ports of the protocols that have some, identifier, type and code of ICMP. */
export function tupleOf(bdds: Bdds, packet: Packet): Tuple {
  const ports = isProtocol(bdds, packet, Object.values(portProtocols));
  const isIcmp =
    packet.family === 4 || packet.family === 6 ? isProtocol(bdds, packet, [icmp[packet.family]]) : never;
  const nothing = numberBits(0, 16);
  const word = (offset: number) => packet.transport.read(offset, 2);
  return {
    source: addressBits(packet, 'source'),
    destination: addressBits(packet, 'destination'),
    sourcePort: iteBits(bdds, ports, word(0), iteBits(bdds, isIcmp, word(4), nothing)),
    destinationPort: iteBits(bdds, ports, word(2), iteBits(bdds, isIcmp, word(0), nothing)),
    protocol: packet.info.protocol,
  };
}

/** The tuple of the other direction: the same turned around, but for the sides that are translated. */
function otherSide(bdds: Bdds, connection: Connection, own: Tuple): Tuple {
  const turned = invert(own);
  const { other, reply, sourceNat, destinationNat } = connection;
  if (other === null) return turned;
  const source = bdds.ite(reply, sourceNat, destinationNat);
  const destination = bdds.ite(reply, destinationNat, sourceNat);
  return {
    source: iteBits(bdds, source, other.source, turned.source),
    sourcePort: iteBits(bdds, source, other.sourcePort, turned.sourcePort),
    destination: iteBits(bdds, destination, other.destination, turned.destination),
    destinationPort: iteBits(bdds, destination, other.destinationPort, turned.destinationPort),
    protocol: turned.protocol,
  };
}

/** Neighbour and multicast listener discovery (nf_conntrack_proto_icmpv6.c): seen, and left untracked. */
const untrackedIcmpv6 = [130, 131, 132, 133, 134, 135, 136, 143];

function isDiscovery(bdds: Bdds, packet: Packet): Bdd {
  if (packet.family !== 6) return never;
  const type = packet.transport.read(0, 1);
  const listed = untrackedIcmpv6.map((one) => equalBits(bdds, type, numberBits(one, 8)));
  const whole = bdds.and(packet.info.known, packet.info.later ^ 1);
  return bdds.all([
    whole,
    isProtocol(bdds, packet, [icmp[6]]),
    bdds.any(listed),
    packet.connection.invalid ^ 1,
  ]);
}

/** What nf_conntrack_in leaves on the packet. */
export function track(bdds: Bdds, packet: Packet): void {
  if (packet.tracked !== null) return;
  packet.untracked = bdds.or(packet.untracked, isDiscovery(bdds, packet));
  const { connection } = packet;
  const plain = tupleOf(bdds, packet);
  const own = connection.own === null ? plain : iteTuple(bdds, connection.related, connection.own, plain);
  const other = otherSide(bdds, connection, own);
  packet.tracked = {
    connection,
    original: iteTuple(bdds, connection.reply, other, own),
    reply: iteTuple(bdds, connection.reply, own, other),
    sourceNat: connection.sourceNat,
    destinationNat: connection.destinationNat,
    sourceDone: connection.isNew ^ 1,
    destinationDone: connection.isNew ^ 1,
    mark: connection.mark,
  };
}

/** There is an entry that rules can read. */
export function hasConnection(bdds: Bdds, packet: Packet): Bdd {
  if (packet.tracked === null) return never;
  return bdds.and(packet.untracked ^ 1, packet.tracked.connection.invalid ^ 1);
}

/** The bits of `ct state`, most significant first. */
export function stateBits(bdds: Bdds, packet: Packet): Bdd[] {
  const { tracked, untracked } = packet;
  const here = untracked ^ 1;
  const when = (part: Bdd) => (tracked === null ? never : bdds.and(here, part));
  const connection = tracked?.connection;
  const bits: Bdd[] = new Array(32).fill(never);
  bits[31] = tracked === null ? here : when(connection?.invalid ?? never);
  bits[30] = when(connection?.established ?? never);
  bits[29] = when(connection?.related ?? never);
  bits[28] = when(connection?.isNew ?? never);
  bits[25] = untracked;
  return bits;
}

/** The bits of `ct status` that this oracle keeps; the rest are 0. */
export function statusBits(bdds: Bdds, tracked: Tracked): Bdd[] {
  const { connection } = tracked;
  const bits: Bdd[] = new Array(32).fill(never);
  const set = (bit: number, value: Bdd) => {
    bits[31 - bit] = value;
  };
  set(0, connection.expected);
  // The first reply sets the bit while it is looked up.
  set(1, bdds.or(connection.seenReply, bdds.and(connection.reply, connection.isNew ^ 1)));
  set(2, connection.assured);
  set(3, connection.isNew ^ 1);
  set(4, tracked.sourceNat);
  set(5, tracked.destinationNat);
  set(7, tracked.sourceDone);
  set(8, tracked.destinationDone);
  return bits;
}

type Reader = (run: RuleRun, tracked: Tracked, direction: Ct['direction']) => Bits;

/** The tuple of the direction that the expression names, else of the packet's own. */
function tuple({ bdds }: RuleRun, tracked: Tracked, direction: Ct['direction']): Tuple {
  if (direction === 'original') return tracked.original;
  if (direction === 'reply') return tracked.reply;
  return iteTuple(bdds, tracked.connection.reply, tracked.reply, tracked.original);
}

const ofFamily =
  (family: 4 | 6 | null, which: 'source' | 'destination'): Reader =>
  (run, tracked, direction) => {
    if (family !== null && run.packet.family !== family) run.require(never);
    return tuple(run, tracked, direction)[which];
  };

/** Beside `state`, which also says when there is no entry. */
export const ctReaders: Readonly<Record<string, Reader>> = {
  direction: (_, { connection }) => [...new Array(7).fill(never), connection.reply],
  status: (run, tracked) => hostOrder(statusBits(run.bdds, tracked)),
  mark: (_, { mark }) => hostOrder(mark),
  l3proto: (run) => numberBits(run.packet.family === 4 ? 2 : 10, 8),
  saddr: ofFamily(null, 'source'),
  daddr: ofFamily(null, 'destination'),
  'ip saddr': ofFamily(4, 'source'),
  'ip daddr': ofFamily(4, 'destination'),
  'ip6 saddr': ofFamily(6, 'source'),
  'ip6 daddr': ofFamily(6, 'destination'),
  protocol: (run, tracked, direction) => tuple(run, tracked, direction).protocol,
  'proto-src': (run, tracked, direction) => tuple(run, tracked, direction).sourcePort,
  'proto-dst': (run, tracked, direction) => tuple(run, tracked, direction).destinationPort,
};

export function loadCt(run: RuleRun, { key, direction, to }: Ct): void {
  const { packet, bdds } = run;
  if (key === 'state') {
    run.store(to, hostOrder(stateBits(bdds, packet)));
    return;
  }
  const read = ctReaders[key];
  if (read === undefined) run.refuse(`ct ${key}`);
  run.require(hasConnection(bdds, packet));
  if (packet.tracked === null || run.reach === never) return;
  run.store(to, read(run, packet.tracked, direction));
}

export const settableCtKeys: readonly string[] = ['mark', 'label', 'event', 'secmark'];

export function setCt(run: RuleRun, { key, from }: CtSet): void {
  if (!settableCtKeys.includes(key)) run.refuse(`ct ${key} set`);
  const { packet, bdds } = run;
  if (key !== 'mark' || packet.tracked === null) return;
  const mark = hostOrder(run.load(from, 4));
  const when = bdds.and(run.reach, hasConnection(bdds, packet));
  packet.tracked.mark = iteBits(bdds, when, mark, packet.tracked.mark);
}
