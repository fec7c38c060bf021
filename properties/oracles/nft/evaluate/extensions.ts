/**
 * xtables matches and targets as iptables-nft writes them, from their binary parameters (net/netfilter/xt_*.c).
 * Some drop a packet whose header is cut off (`hotdrop`), whatever the rule says.
 */
import { always, type Bdd, never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, equalBits, numberBits, withinBits } from '../../bdd/bit-vector.ts';
import type { Bytes, Expression } from '../ruleset.ts';
import { matchConntrack, matchState } from './extension-conntrack.ts';
import { addressTypes, inRange, typesOf } from './fib.ts';
import { setMark } from './meta.ts';
import { applyMapping, deviceAddress, redirectAddress, type Side } from './nat.ts';
import { addressBits, addressPlaces } from './packet.ts';
import { hasBytes, transportKnown } from './payload.ts';
import type { RuleRun } from './rule-run.ts';

type Match = Extract<Expression, { readonly kind: 'match' }>;
type Target = Extract<Expression, { readonly kind: 'target' }>;
type Reader = (run: RuleRun, info: Buffer) => void;

/** By name and revision. */
export const matches: Readonly<Record<string, Reader>> = {
  'comment 0': () => undefined,
  'conntrack 3': matchConntrack,
  'state 0': matchState,
  'addrtype 1': matchAddressType,
  'multiport 1': matchMultiport,
  'tcp 0': matchTcp,
  'udp 0': matchUdp,
  'icmp 0': (run, info) => matchIcmp(run, info, 1),
  'icmp6 0': (run, info) => matchIcmp(run, info, 58),
  'mark 1': matchMark,
  'pkttype 0': matchPacketType,
  'iprange 1': matchAddressRange,
  'limit 0': (run) => run.require(run.choices.either('limit')),
};

export const targets: Readonly<Record<string, Reader>> = {
  'MARK 2': targetMark,
  'REJECT 0': (run) => run.conclude({ code: 'drop' }, always),
  'LOG 0': () => undefined,
  'NFLOG 0': () => undefined,
  'CHECKSUM 0': () => undefined,
  'CT 0': targetCt,
  'CT 1': targetCt,
  'CT 2': targetCt,
  'MASQUERADE 0': (run, info) => targetNat(run, info, 'masquerade', 'source'),
  'DNAT 0': (run, info) => targetNat(run, info, 'nat', 'destination'),
  'DNAT 1': (run, info) => targetNat(run, info, 'nat', 'destination'),
  'DNAT 2': (run, info) => targetNat(run, info, 'nat', 'destination'),
  'SNAT 0': (run, info) => targetNat(run, info, 'nat', 'source'),
  'SNAT 1': (run, info) => targetNat(run, info, 'nat', 'source'),
  'REDIRECT 0': (run, info) => targetNat(run, info, 'redirect', 'destination'),
};

export function runMatch(run: RuleRun, { name, revision, info }: Match): void {
  const read = matches[`${name} ${revision}`];
  if (read === undefined) run.refuse(`xt match ${name} revision ${revision}`);
  read(run, Buffer.from(info));
}

export function runTarget(run: RuleRun, { name, revision, info }: Target): void {
  const read = targets[`${name} ${revision}`];
  if (read === undefined) run.refuse(`xt target ${name} revision ${revision}`);
  read(run, Buffer.from(info));
}

/** The transport header's bits; drops the packet when they are cut off, passes none of a later fragment. */
function headerOrDrop(run: RuleRun, bytes: number): Bits {
  run.require(transportKnown(run));
  run.conclude({ code: 'drop' }, hasBytes(run, bytes) ^ 1);
  return run.reach === never ? new Array(bytes * 8).fill(never) : run.packet.transport.read(0, bytes);
}

function portsWithin(run: RuleRun, port: Bits, first: number, last: number): Bdd {
  return withinBits(run.bdds, port, numberBits(first, 16), numberBits(last, 16));
}

function flipped(when: Bdd, flip: boolean): Bdd {
  return flip ? when ^ 1 : when;
}

function matchTcp(run: RuleRun, info: Buffer): void {
  const inverted = info[11] ?? 0;
  if ((info[8] ?? 0) !== 0) run.refuse('xt match tcp with an option');
  // A fragment at offset 1 would overwrite flags: xt_tcpudp drops it.
  const header = headerOrDropTcp(run);
  const ports = (bits: Bits, at: number, bit: number) =>
    run.require(
      flipped(
        portsWithin(run, bits, info.readUInt16LE(at), info.readUInt16LE(at + 2)),
        (inverted & bit) !== 0,
      ),
    );
  ports(header.slice(0, 16), 0, 1);
  ports(header.slice(16, 32), 4, 2);
  const mask = constantBits([info[9] ?? 0]);
  const flags = header.slice(104, 112).map((bit, i) => (mask[i] === always ? bit : never));
  run.require(flipped(equalBits(run.bdds, flags, constantBits([info[10] ?? 0])), (inverted & 4) !== 0));
}

function headerOrDropTcp(run: RuleRun): Bits {
  const { packet, bdds } = run;
  if (packet.family === 4) {
    const offset = packet.network.read(6, 2).slice(3);
    run.conclude({ code: 'drop' }, equalBits(bdds, offset, numberBits(1, 13)));
  }
  return headerOrDrop(run, 20);
}

function matchUdp(run: RuleRun, info: Buffer): void {
  const inverted = info[8] ?? 0;
  const header = headerOrDrop(run, 8);
  const test = (bits: Bits, at: number, bit: number) =>
    run.require(
      flipped(
        portsWithin(run, bits, info.readUInt16LE(at), info.readUInt16LE(at + 2)),
        (inverted & bit) !== 0,
      ),
    );
  test(header.slice(0, 16), 0, 1);
  test(header.slice(16, 32), 4, 2);
}

function matchIcmp(run: RuleRun, info: Buffer, protocol: 1 | 58): void {
  const header = headerOrDrop(run, 8);
  const [type = 0, first = 0, last = 0, inverted = 0] = info;
  const anyType = protocol === 1 && type === 0xff ? always : never;
  const sameType = equalBits(run.bdds, header.slice(0, 8), constantBits([type]));
  const code = withinBits(run.bdds, header.slice(8, 16), constantBits([first]), constantBits([last]));
  const match = run.bdds.or(anyType, run.bdds.and(sameType, code));
  run.require(flipped(match, (inverted & 1) !== 0));
}

function matchMultiport(run: RuleRun, info: Buffer): void {
  const [way = 0, count = 0] = info;
  const header = headerOrDrop(run, 4);
  const source = header.slice(0, 16);
  const destination = header.slice(16, 32);
  const tests: Bdd[] = [];
  for (let i = 0; i < count; i += 1) {
    const first = info.readUInt16LE(2 + i * 2);
    const isRange = (info[32 + i] ?? 0) !== 0;
    const last = isRange ? info.readUInt16LE(2 + (i + 1) * 2) : first;
    if (isRange) i += 1;
    if (way !== 1) tests.push(portsWithin(run, source, first, last));
    if (way !== 0) tests.push(portsWithin(run, destination, first, last));
  }
  run.require(flipped(run.bdds.any(tests), (info[47] ?? 0) !== 0));
}

function matchMark(run: RuleRun, info: Buffer): void {
  const mask = numberBits(info.readUInt32LE(4), 32);
  const masked = run.packet.mark.map((bit, i) => (mask[i] === always ? bit : never));
  run.require(flipped(equalBits(run.bdds, masked, numberBits(info.readUInt32LE(0), 32)), info[8] !== 0));
}

function matchPacketType(run: RuleRun, info: Buffer): void {
  const same = equalBits(run.bdds, run.packet.packetType, numberBits(info.readUInt32LE(0), 8));
  run.require(flipped(same, info.readUInt32LE(4) !== 0));
}

/** Invert source 1, invert destination 2, only the input device 4, only the output device 8. */
function matchAddressType(run: RuleRun, info: Buffer): void {
  const { packet, hook, bdds } = run;
  const { family } = packet;
  if (family !== 4) run.refuse('xt match addrtype of IPv6');
  const flags = info.readUInt32LE(4);
  const device = (flags & 4) !== 0 ? hook.input : (flags & 8) !== 0 ? hook.output : null;
  const test = (mask: number, side: Side, invert: number) => {
    if (mask === 0) return;
    const types = typesOf(bdds, hook.topology, addressBits(packet, side), family, device ?? undefined);
    const wanted = types.filter(([type]) => (mask & (1 << addressTypes[type])) !== 0);
    run.require(flipped(bdds.any(wanted.map(([, when]) => when)), (flags & invert) !== 0));
  };
  test(info.readUInt16LE(0), 'source', 1);
  test(info.readUInt16LE(2), 'destination', 2);
}

function matchAddressRange(run: RuleRun, info: Buffer): void {
  const { packet, bdds } = run;
  const { family } = packet;
  if (family !== 4 && family !== 6) {
    run.require(never);
    return;
  }
  const { bytes } = addressPlaces[family];
  const flags = info[64] ?? 0;
  const bound = (at: number) => BigInt(`0x${info.subarray(at, at + bytes).toString('hex')}`);
  const test = (side: Side, at: number, invert: number) =>
    run.require(
      flipped(
        inRange(bdds, addressBits(packet, side), { first: bound(at), last: bound(at + 16) }),
        (flags & invert) !== 0,
      ),
    );
  if ((flags & 1) !== 0) test('source', 0, 16);
  if ((flags & 2) !== 0) test('destination', 32, 32);
}

/** mark = (mark & ~mask) ^ value */
function targetMark(run: RuleRun, info: Buffer): void {
  const value = numberBits(info.readUInt32LE(0), 32);
  const mask = numberBits(info.readUInt32LE(4), 32);
  setMark(
    run,
    run.packet.mark.map((bit, i) => run.bdds.xor(mask[i] === always ? never : bit, value[i] as Bdd)),
  );
}

function targetCt(run: RuleRun, info: Buffer): void {
  const flags = info.readUInt16LE(0);
  if ((flags & 3) === 0) {
    if (info.readUInt16LE(2) !== 0 || (flags & ~3) !== 0) run.refuse('xt target CT with a zone');
    return;
  }
  const { packet, bdds } = run;
  if (packet.tracked === null) packet.untracked = bdds.or(packet.untracked, run.reach);
}

interface NatParameters {
  readonly flags: number;
  readonly address: { readonly first: Bytes; readonly last: Bytes };
  readonly port: { readonly first: Bytes; readonly last: Bytes };
}

/** nf_nat_ipv4_multi_range_compat, or nf_nat_range(2). */
function natParameters(run: RuleRun, info: Buffer): NatParameters {
  const compatible = info.length < 40;
  const start = compatible ? 4 : 0;
  const size = compatible ? 4 : 16;
  const width = run.packet.family === 6 ? 16 : 4;
  const slice = (at: number, length: number) => [...info.subarray(at, at + length)];
  if (compatible && info.readUInt32LE(0) !== 1) run.refuse('xt NAT target with several ranges');
  const ports = start + 4 + 2 * size;
  return {
    flags: info.readUInt32LE(start),
    address: { first: slice(start + 4, width), last: slice(start + 4 + size, width) },
    port: { first: slice(ports, 2), last: slice(ports + 2, 2) },
  };
}

function targetNat(run: RuleRun, info: Buffer, kind: 'nat' | 'masquerade' | 'redirect', side: Side): void {
  const { flags, address, port } = natParameters(run, info);
  if ((flags & (64 | 32)) !== 0) run.refuse('xt NAT target with netmap or a port offset');
  const { family } = run.packet;
  if (family !== 4 && family !== 6) {
    run.require(never);
    return;
  }
  const range = ({ first, last }: { first: Bytes; last: Bytes }) => ({
    first: constantBits(first),
    last: constantBits(last),
  });
  const own =
    kind === 'nat'
      ? null
      : kind === 'masquerade'
        ? deviceAddress(run.hook.output, family)
        : redirectAddress(run, family);
  if (kind !== 'nat' && own === null) {
    run.conclude({ code: 'drop' }, always);
    return;
  }
  applyMapping(run, {
    side,
    address: own !== null ? { first: own, last: own } : (flags & 1) !== 0 ? range(address) : null,
    port: (flags & 2) !== 0 ? range(port) : null,
    random: (flags & (4 | 16)) !== 0,
  });
}
