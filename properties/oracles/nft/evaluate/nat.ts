/**
 * Address translation: what a NAT rule does to the first packet of a flow, and what conntrack does to the
 * packets after it (nf_nat_core.c).
 */
import { addressNumber } from '../../addresses/address-number.ts';
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, equalBits, iteBits, numberBits, withinBits } from '../../bdd/bit-vector.ts';
import type { Expression } from '../ruleset.ts';
import type { Device } from '../topology.ts';
import { hasConnection, isProtocol, portProtocols } from './ct.ts';
import { inPrefix } from './fib.ts';
import { addressBits, addressPlaces, invert, type Packet } from './packet.ts';
import type { RuleRun } from './rule-run.ts';

type Nat = Extract<Expression, { readonly kind: 'nat' | 'masquerade' | 'redirect' }>;
export type Side = 'source' | 'destination';

const randomFlags = 4 | 16;
const netmapFlag = 64;
const withPorts = Object.values(portProtocols);

/** Which side a hook's NAT chains translate. */
export function sideOf(point: string): Side {
  return point === 'prerouting' || point === 'output' ? 'destination' : 'source';
}

export interface Mapping {
  readonly side: Side;
  readonly address: { readonly first: Bits; readonly last: Bits } | null;
  readonly port: { readonly first: Bits; readonly last: Bits } | null;
  readonly random: boolean;
}

export function translate(run: RuleRun, expression: Nat): void {
  // In an inet table a rule for one family does nothing to the other's packets.
  if (expression.kind === 'nat' && expression.family !== null && expression.family !== run.packet.family)
    return;
  const side = sideOfExpression(expression);
  if ((expression.flags & netmapFlag) !== 0) run.refuse('nat with prefix (netmap)');
  const port = expression.port;
  const mapping: Mapping = {
    side,
    address: addressOf(run, expression),
    port: port === null ? null : { first: run.load(port.first, 2), last: run.load(port.last, 2) },
    random: (expression.flags & randomFlags) !== 0,
  };
  applyMapping(run, mapping);
}

function sideOfExpression(expression: Nat): Side {
  if (expression.kind === 'nat') return expression.manipulates;
  return expression.kind === 'masquerade' ? 'source' : 'destination';
}

function addressOf(run: RuleRun, expression: Nat): Mapping['address'] {
  const { packet, hook } = run;
  const { family } = packet;
  if (family !== 4 && family !== 6) return run.refuse(`nat of a ${family} packet`);
  if (expression.kind === 'nat') {
    if (expression.address === null) return null;
    const bytes = addressPlaces[family].bytes;
    return {
      first: run.load(expression.address.first, bytes),
      last: run.load(expression.address.last, bytes),
    };
  }
  const address =
    expression.kind === 'masquerade' ? deviceAddress(hook.output, family) : redirectAddress(run, family);
  if (address === null) {
    run.conclude({ code: 'drop' }, always);
    return null;
  }
  return { first: address, last: address };
}

/** This host, as it is called where the packet comes from: by the scope of the destination in IPv6. */
export function redirectAddress(run: RuleRun, family: 4 | 6): Bits | null {
  const { hook, packet, bdds } = run;
  if (hook.point === 'output') {
    return numberBits(addressNumber(family === 4 ? '127.0.0.1' : '::1').value, family === 4 ? 32 : 128);
  }
  const wide = deviceAddress(hook.input, family);
  if (family === 4) return wide;
  const destination = addressBits(packet, 'destination');
  const within = (...prefixes: string[]) => bdds.any(prefixes.map((one) => inPrefix(bdds, destination, one)));
  if (bdds.and(run.reach, within('fec0::/10', 'ff05::/16')) !== never) {
    return run.refuse('redirect of a packet to a site-local destination');
  }
  const link = bdds.and(run.reach, within('fe80::/10', 'ff02::/16'));
  const near = linkLocalAddress(hook.input);
  if (link === never) return wide;
  if (near === null || wide === null)
    return run.refuse('redirect where the device lacks an address of a scope');
  return iteBits(bdds, link, near, wide);
}

function linkLocalAddress(device: Device | null): Bits | null {
  for (const text of device?.addresses ?? []) {
    const { family, value } = addressNumber(text.split('/')[0] ?? '');
    if (family === 6 && value >> 118n === 0x3fan) return numberBits(value, 128);
  }
  return null;
}

/** The first address of a device. */
export function deviceAddress(device: Device | null, family: 4 | 6): Bits | null {
  for (const text of device?.addresses ?? []) {
    const address = addressNumber(text.split('/')[0] ?? '');
    const linkLocal = family === 6 && address.value >> 118n === 0x3fan;
    if (address.family === family && !linkLocal) return numberBits(address.value, family === 4 ? 32 : 128);
  }
  return null;
}

/** Translates where the rule is reached and ends it with accept, as nf_nat_setup_info does. */
export function applyMapping(run: RuleRun, mapping: Mapping): void {
  const { bdds, packet, reach: when } = run;
  const { tracked, family } = packet;
  if (when === never) return;
  if (tracked === null || (family !== 4 && family !== 6)) run.refuse('nat of a packet that is not tracked');
  const places = addressPlaces[family];
  const before = addressBits(packet, mapping.side);
  // A source of 0.0.0.0 is left alone by masquerade; nothing routable has it.
  const address = mapping.address === null ? before : pickAddress(run, before, mapping.address);
  packet.network.write(bdds, places[mapping.side], address, when);
  const ports = bdds.and(when, isProtocol(bdds, packet, withPorts));
  const offset = mapping.side === 'source' ? 0 : 2;
  const portBefore = packet.transport.read(offset, 2);
  const port = mapping.port === null ? portBefore : pickPort(run, portBefore, mapping);
  packet.transport.write(bdds, offset, port, ports);
  const samePort = bdds.ite(ports, keepsPort(run, portBefore, port, mapping), always);
  const changed = bdds.and(when, bdds.and(equalBits(bdds, address, before), samePort) ^ 1);
  noteChange(bdds, packet, mapping.side, changed, when);
  run.conclude({ code: 'accept' }, always);
}

function noteChange(bdds: Bdds, packet: Packet, side: Side, changed: Bdd, when: Bdd): void {
  const { tracked } = packet;
  if (tracked === null) return;
  const reads = side === 'source' ? 'destination' : 'source';
  const portKey = side === 'source' ? 'destinationPort' : 'sourcePort';
  const ports = isProtocol(bdds, packet, withPorts);
  const port = packet.transport.read(side === 'source' ? 0 : 2, 2);
  tracked.reply = {
    ...tracked.reply,
    [reads]: iteBits(bdds, when, addressBits(packet, side), tracked.reply[reads]),
    [portKey]: iteBits(bdds, bdds.and(when, ports), port, tracked.reply[portKey]),
  };
  if (side === 'source') {
    tracked.sourceNat = bdds.or(tracked.sourceNat, changed);
    tracked.sourceDone = bdds.or(tracked.sourceDone, when);
  } else {
    tracked.destinationNat = bdds.or(tracked.destinationNat, changed);
    tracked.destinationDone = bdds.or(tracked.destinationDone, when);
  }
}

function pickAddress(run: RuleRun, before: Bits, { first, last }: { first: Bits; last: Bits }): Bits {
  if (first.every((bit, i) => bit === last[i])) return first;
  const chosen = run.choices.unknown('address from a range', before.length);
  run.require(withinBits(run.bdds, chosen, first, last));
  return chosen;
}

/**
 * Where the port stays as it was. One that is picked from a range lies within it, and the one before did not:
 * to compare the two bit by bit would blow up the diagram.
 */
function keepsPort({ bdds }: RuleRun, before: Bits, after: Bits, { port, random }: Mapping): Bdd {
  const fixed = port === null || port.first.every((bit, i) => bit === port.last[i]);
  if (fixed || random) return equalBits(bdds, after, before);
  return withinBits(bdds, before, port.first, port.last);
}

/** A port within the range is kept unless a random one is asked for. */
function pickPort(run: RuleRun, before: Bits, { port, random }: Mapping): Bits {
  if (port === null) return before;
  const { bdds } = run;
  if (port.first.every((bit, i) => bit === port.last[i])) return port.first;
  const inside = random ? never : withinBits(bdds, before, port.first, port.last);
  if (inside === always) return before;
  const chosen = run.choices.unknown('port from a range', 16);
  run.require(bdds.or(inside, withinBits(bdds, chosen, port.first, port.last)));
  return iteBits(bdds, inside, before, chosen);
}

/** Which packets a NAT hook shows to its chains: the first of a flow, once for each side. */
export function asksChains(bdds: Bdds, packet: Packet, side: Side): Bdd {
  const { tracked } = packet;
  if (tracked === null) return never;
  const done = side === 'source' ? tracked.sourceDone : tracked.destinationDone;
  return bdds.all([hasConnection(bdds, packet), tracked.connection.isNew, done ^ 1]);
}

export function finishSide(bdds: Bdds, packet: Packet, side: Side): void {
  const { tracked } = packet;
  if (tracked === null) return;
  if (side === 'source') tracked.sourceDone = bdds.or(tracked.sourceDone, tracked.connection.isNew);
  else tracked.destinationDone = bdds.or(tracked.destinationDone, tracked.connection.isNew);
}

/** Packets of a flow that is there already are translated by its tuples. */
export function translateKnown(bdds: Bdds, packet: Packet, side: Side): void {
  const { tracked, family } = packet;
  if (tracked === null || (family !== 4 && family !== 6)) return;
  const { connection } = tracked;
  const [forward, backward] =
    side === 'source'
      ? [tracked.sourceNat, tracked.destinationNat]
      : [tracked.destinationNat, tracked.sourceNat];
  const flow = bdds.and(hasConnection(bdds, packet), connection.isNew ^ 1);
  const when = bdds.and(flow, bdds.ite(connection.reply, backward, forward));
  if (when === never) return;
  const target = [invert(tracked.reply), invert(tracked.original)] as const;
  const pick = (key: 'source' | 'destination' | 'sourcePort' | 'destinationPort') =>
    iteBits(bdds, connection.reply, target[1][key], target[0][key]);
  packet.network.write(bdds, addressPlaces[family][side], pick(side), when);
  const ports = bdds.all([when, connection.related ^ 1, isProtocol(bdds, packet, withPorts)]);
  const portKey = side === 'source' ? 'sourcePort' : 'destinationPort';
  packet.transport.write(bdds, side === 'source' ? 0 : 2, pick(portKey), ports);
}
