/** Payload expressions: which bytes, and for which packets there are none (nft_payload_eval). */
import { always, type Bdd, never } from '../../bdd/bdd.ts';
import { iteBits, lessBits, numberBits } from '../../bdd/bit-vector.ts';
import type { Expression } from '../ruleset.ts';
import type { Packet } from './packet.ts';
import type { RuleRun } from './rule-run.ts';

type Load = Extract<Expression, { readonly kind: 'payload' }>;
type Write = Extract<Expression, { readonly kind: 'payload-set' }>;

export function loadPayload(run: RuleRun, expression: Load): void {
  const { base, offset, length, to } = expression;
  if (base === 'link') {
    loadLink(run, expression);
    return;
  }
  if (base === 'network') {
    run.store(to, readNetwork(run, offset, length));
    return;
  }
  if (base === 'transport') {
    run.store(to, readTransport(run, offset, length));
    return;
  }
  run.refuse('payload of an inner header');
}

/** A tag that the driver took off is put back for the reader, so these are the bytes as they came. */
function loadLink(run: RuleRun, { offset, length, to }: Load): void {
  const { link } = run.packet;
  if (link === null) {
    run.require(never);
    return;
  }
  const bytes = link.knownBytes;
  const own = Math.max(0, Math.min(length, bytes - offset));
  const bits = link.read(offset, own);
  if (own < length) {
    if (run.packet.innerTag !== null) run.refuse('payload of the link layer beyond two tags');
    bits.push(...readNetwork(run, Math.max(0, offset - bytes), length - own));
  }
  run.store(to, bits);
}

/** From the network header on; behind a second tag the network header begins with that tag. */
export function readNetwork(run: RuleRun, offset: number, length: number): Bdd[] {
  const { packet } = run;
  const tag = packet.innerTag;
  if (tag !== null) {
    const tagBytes = tag.knownBytes;
    const own = Math.max(0, Math.min(length, tagBytes - offset));
    const rest = length - own;
    return [
      ...tag.read(offset, own),
      ...(rest === 0 ? [] : readDatagram(run, offset + own - tagBytes, rest)),
    ];
  }
  return readDatagram(run, offset, length);
}

function readDatagram(run: RuleRun, offset: number, length: number): Bdd[] {
  const { packet } = run;
  const header = packet.networkBytes;
  if (header === null) {
    const fixed = packet.family === 4 ? 20 : packet.family === 6 ? 40 : 28;
    if (offset + length <= fixed) return packet.network.read(offset, length);
    // Options or data: the header's length is unknown, so the bytes are.
    run.require(run.choices.either('a packet long enough'));
    return run.choices.unknown('bytes behind the fixed header', length * 8);
  }
  const own = Math.max(0, Math.min(length, header - offset));
  const bits = packet.network.read(offset, own);
  if (own < length) {
    const start = Math.max(0, offset - header);
    requireLength(run, start + length - own);
    bits.push(...packet.transport.read(start, length - own));
  }
  return bits;
}

/**
 * Nothing where the transport header is not known. Of a later fragment the kernel's short cut for aligned
 * words of one, two or four bytes reads what lies there all the same (nft_payload_fast_eval), as long as
 * the packet lies in one piece; of IPv6 it counts from the network header then.
 */
export function readTransport(run: RuleRun, offset: number, length: number): Bdd[] {
  const { packet, bdds } = run;
  const { info } = packet;
  const shortCut = length <= 4 && (length & (length - 1)) === 0 && offset % length === 0;
  const astray = shortCut ? bdds.and(info.later, run.choices.linear()) : never;
  run.require(bdds.and(info.known, bdds.or(info.later ^ 1, astray)));
  const nothing = (): Bdd[] => new Array(length * 8).fill(never);
  if (run.reach === never) return nothing();
  const fromNetwork = packet.family === 6 ? astray : never;
  run.require(bdds.or(fromNetwork, hasBytes(run, offset + length)));
  if (run.reach === never) return nothing();
  const bits = packet.transport.read(offset, length);
  if (fromNetwork === never) return bits;
  return iteBits(bdds, fromNetwork, readDatagram(run, offset, length), bits);
}

export function transportKnown(run: RuleRun): Bdd {
  const { info } = run.packet;
  return run.bdds.and(info.known, info.later ^ 1);
}

function requireLength(run: RuleRun, bytes: number): void {
  run.require(hasBytes(run, bytes));
}

/** At least so many bytes lie behind the network header. */
export function hasBytes(run: RuleRun, bytes: number): Bdd {
  if (bytes === 0) return always;
  return lessBits(run.bdds, run.packet.transportLength, numberBits(bytes, 16)) ^ 1;
}

export function writePayload(run: RuleRun, { base, offset, length, from }: Write): void {
  const { packet, bdds } = run;
  const value = run.load(from, length);
  if (run.hook.point === 'ingress' || run.hook.point === 'egress')
    run.refuse('payload set at ingress or egress');
  if (base === 'network' && offset + length <= minimumHeader(packet)) {
    packet.network.write(bdds, offset, value, run.reach);
    return;
  }
  if (base !== 'transport') run.refuse(`payload set at ${base} offset ${offset}`);
  run.require(bdds.and(transportKnown(run), hasBytes(run, offset + length)));
  packet.transport.write(bdds, offset, value, run.reach);
}

function minimumHeader(packet: Packet): number {
  return packet.family === 4 ? 20 : packet.family === 6 ? 40 : 0;
}
