/** xt match conntrack and state (net/netfilter/xt_conntrack.c). */
import { always, type Bdd, never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, equalBits, numberBits, withinBits } from '../../bdd/bit-vector.ts';
import { hasConnection, stateBits, statusBits } from './ct.ts';
import type { Tracked } from './packet.ts';
import type { RuleRun } from './rule-run.ts';

const flags = {
  state: 1,
  protocol: 2,
  originalSource: 4,
  originalDestination: 8,
  replySource: 16,
  replyDestination: 32,
  status: 64,
  expires: 128,
  originalSourcePort: 256,
  originalDestinationPort: 512,
  replySourcePort: 1024,
  replyDestinationPort: 2048,
  direction: 4096,
} as const;

/** xt numbers states as nft does, but keeps translated and untracked ones in bits of its own. */
const sourceNatState = 1 << 6;
const destinationNatState = 1 << 7;
const untrackedState = 1 << 8;

/** struct xt_conntrack_mtinfo3. */
export function matchConntrack(run: RuleRun, info: Buffer): void {
  const match = info.readUInt16LE(146);
  const invert = info.readUInt16LE(148);
  if ((match & flags.expires) !== 0) run.refuse('xt match conntrack with an expiry');
  const { bdds, packet } = run;
  if ((match & flags.state) !== 0) {
    requireFlipped(run, hasState(run, info.readUInt16LE(150)), invert & flags.state);
  }
  if ((match & ~flags.state) === 0) return;
  // Without an entry the state alone decides, whatever else is asked for.
  const entry = hasConnection(bdds, packet);
  const stateAlone = (match & flags.state) !== 0 ? bdds.and(run.reach, entry ^ 1) : never;
  run.require(entry);
  if (packet.tracked !== null && run.reach !== never) matchEntry(run, packet.tracked, info, match, invert);
  run.reach = bdds.or(run.reach, stateAlone);
}

function matchEntry(run: RuleRun, tracked: Tracked, info: Buffer, match: number, invert: number): void {
  if ((match & flags.direction) !== 0) {
    requireFlipped(run, tracked.connection.reply ^ 1, invert & flags.direction);
  }
  matchAddresses(run, tracked, info, match, invert);
  matchPorts(run, tracked, info, match, invert);
  if ((match & flags.status) !== 0) {
    requireFlipped(
      run,
      anySet(run, statusBits(run.bdds, tracked), info.readUInt16LE(152)),
      invert & flags.status,
    );
  }
}

function requireFlipped(run: RuleRun, when: Bdd, inverted: number): void {
  run.require(inverted !== 0 ? when ^ 1 : when);
}

function anySet(run: RuleRun, bits: Bits, mask: number): Bdd {
  const wanted = numberBits(mask, 32);
  return run.bdds.any(bits.filter((_, i) => wanted[i] === always));
}

function hasState(run: RuleRun, mask: number): Bdd {
  const { bdds, packet } = run;
  const { tracked } = packet;
  const tests = [anySet(run, stateBits(bdds, packet), mask & 0xf)];
  if ((mask & untrackedState) !== 0) tests.push(packet.untracked);
  const entry = hasConnection(bdds, packet);
  if (tracked !== null && (mask & sourceNatState) !== 0) tests.push(bdds.and(entry, tracked.sourceNat));
  if (tracked !== null && (mask & destinationNatState) !== 0) {
    tests.push(bdds.and(entry, tracked.destinationNat));
  }
  return bdds.any(tests);
}

function matchAddresses(run: RuleRun, tracked: Tracked, info: Buffer, match: number, invert: number): void {
  const places = [
    [flags.originalSource, tracked.original.source, 0],
    [flags.originalDestination, tracked.original.destination, 32],
    [flags.replySource, tracked.reply.source, 64],
    [flags.replyDestination, tracked.reply.destination, 96],
  ] as const;
  for (const [flag, address, at] of places) {
    if ((match & flag) === 0) continue;
    const bytes = address.length / 8;
    const mask = constantBits(info.subarray(at + 16, at + 16 + bytes));
    const wanted = constantBits(info.subarray(at, at + bytes));
    const masked = (bits: Bits) => bits.map((bit, i) => (mask[i] === always ? bit : never));
    requireFlipped(run, equalBits(run.bdds, masked(address), masked(wanted)), invert & flag);
  }
}

function matchPorts(run: RuleRun, tracked: Tracked, info: Buffer, match: number, invert: number): void {
  if ((match & flags.protocol) !== 0) {
    const wanted = numberBits(info.readUInt16LE(136), 8);
    requireFlipped(run, equalBits(run.bdds, tracked.original.protocol, wanted), invert & flags.protocol);
  }
  const places = [
    [flags.originalSourcePort, tracked.original.sourcePort, 138, 154],
    [flags.originalDestinationPort, tracked.original.destinationPort, 140, 156],
    [flags.replySourcePort, tracked.reply.sourcePort, 142, 158],
    [flags.replyDestinationPort, tracked.reply.destinationPort, 144, 160],
  ] as const;
  for (const [flag, port, first, last] of places) {
    if ((match & flag) === 0) continue;
    const [low, high] = [numberBits(info.readUInt16LE(first), 16), numberBits(info.readUInt16LE(last), 16)];
    requireFlipped(run, withinBits(run.bdds, port, low, high), invert & flag);
  }
}

/** struct xt_state_info: its untracked bit is the sixth. */
export function matchState(run: RuleRun, info: Buffer): void {
  const mask = info.readUInt32LE(0);
  const untracked = (mask & (1 << 6)) !== 0 ? untrackedState : 0;
  run.require(hasState(run, (mask & 0xf) | untracked));
}
