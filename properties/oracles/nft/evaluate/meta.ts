/** meta expressions (nft_meta_get_eval). */
import { never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, iteBits, numberBits } from '../../bdd/bit-vector.ts';
import { familyNumbers } from '../netlink/constants.ts';
import type { Expression } from '../ruleset.ts';
import type { Device } from '../topology.ts';
import { hostOrder, type RuleRun } from './rule-run.ts';

type Meta = Extract<Expression, { readonly kind: 'meta' }>;
type MetaSet = Extract<Expression, { readonly kind: 'meta-set' }>;

/** null: the expression breaks off. */
type Reader = (run: RuleRun) => Bits | null;

export const metaReaders: Readonly<Record<string, Reader>> = {
  length: ({ packet }) => hostOrder(packet.length),
  protocol: ({ packet }) => packet.protocol,
  mark: ({ packet }) => hostOrder(packet.mark),
  iif: ({ hook }) => index(hook.input),
  oif: ({ hook }) => index(hook.output),
  iifname: ({ hook }) => name(hook.input),
  oifname: ({ hook }) => name(hook.output),
  iiftype: inputHardware,
  oiftype: ({ hook }) => hardware(hook.output),
  nfproto: (run) => numberBits(protocolFamily(run), 8),
  l4proto: (run) => {
    run.require(run.packet.info.known);
    return run.packet.info.protocol;
  },
  pkttype: ({ packet }) => packet.packetType,
  cpu: (run) => hostOrder(run.choices.unknown('cpu', 32)),
  random: (run) => run.choices.unknown('random', 32),
};

export function loadMeta(run: RuleRun, { key, to }: Meta): void {
  const read = metaReaders[key];
  if (read === undefined) run.refuse(`meta ${key}`);
  const bits = read(run);
  if (bits === null) {
    run.require(never);
    return;
  }
  run.store(to, bits);
}

/** The family that the hook runs for: of an inet table, the packet's. */
export function protocolFamily(run: RuleRun): number {
  if (run.hook.point === 'ingress' || run.hook.point === 'egress') return familyNumbers.netdev;
  const { family } = run.packet;
  return family === 4 ? familyNumbers.ip : family === 6 ? familyNumbers.ip6 : familyNumbers.arp;
}

function index(device: Device | null): Bits {
  return hostOrder(numberBits(device?.index ?? 0, 32));
}

function name(device: Device | null): Bits {
  const padded = Buffer.alloc(16);
  padded.write(device?.name ?? '');
  return constantBits(padded);
}

/** At postrouting Linux 6.18 looks at the device that the packet is about to leave by, and finds one. */
function inputHardware(run: RuleRun): Bits | null {
  const { input, output, point } = run.hook;
  if (point !== 'postrouting') return hardware(input);
  if (input !== null && input.hardware !== output?.hardware) {
    return run.refuse('meta iiftype of a packet between devices of different types');
  }
  return hardware(output);
}

function hardware(device: Device | null): Bits | null {
  return device === null ? null : hostOrder(numberBits(device.hardware, 16));
}

/** Set without any effect on a later decision that this oracle knows. */
export const ignoredMetaKeys: readonly string[] = ['nftrace', 'priority', 'secmark'];

export function setMeta(run: RuleRun, { key, from }: MetaSet): void {
  const { packet, bdds } = run;
  if (key === 'mark') {
    setMark(run, hostOrder(run.load(from, 4)));
    return;
  }
  if (key === 'pkttype') {
    packet.packetType = iteBits(bdds, run.reach, run.load(from, 1), packet.packetType);
  } else if (!ignoredMetaKeys.includes(key)) {
    run.refuse(`meta ${key} set`);
  }
}

export function setMark(run: RuleRun, mark: Bits): void {
  run.packet.mark = iteBits(run.bdds, run.reach, mark, run.packet.mark);
}
