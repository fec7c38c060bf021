/**
 * findings.md F4, invariants 1 to 5 and 7, of one packet that met one state of the rules: what came of it, and
 * whether that may be.
 */
import type { ArpPacket, IpPacket, Packet } from '../../models/datapath-packet.ts';
import { isIpv6, protocolOf } from '../../models/datapath-packet.ts';
import type { ConfigOf, InputOf } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';
import { addressNumber, addressText, intervalOf } from '../addresses/address-number.ts';
import { constantBytes } from '../bdd/bit-vector.ts';
import { addressBits } from '../nft/evaluate/packet.ts';
import type { Outcome } from '../nft/evaluate/pipeline.ts';
import { mayLeave, type Pin, type SandboxPolicy } from './policy.ts';

type Network = Extract<InputOf<typeof ruleset>['event'], { kind: 'open-sandbox' }>['network'];

export interface StandingSandbox {
  readonly network: Network;
  /** Each may be in force. */
  readonly policies: readonly SandboxPolicy[];
  readonly pins: readonly Pin[];
}

export interface Situation {
  readonly pod: ConfigOf<typeof ruleset>;
  /** By tap; a tap that is not named gets nothing. */
  readonly standing: ReadonlyMap<string, StandingSandbox>;
  readonly taps: readonly string[];
}

/** The flow that a packet belongs to. */
export interface FlowFacts {
  /** The tap of the guest at its inside end; null: the pod's own. */
  readonly tap: string | null;
  /** The policies in force admit its first packet. */
  readonly admitted: boolean;
  readonly direction: 'original' | 'reply';
  /** The packet is an ICMP error about it. */
  readonly error: boolean;
}

export interface Broken {
  readonly required: string;
  readonly rule: string;
}

const broken = (required: string, rule: string): Broken => ({ required, rule });

/** The kernel tells the sender why it threw the packet away. */
const answered = ['hop limit reached', 'no route'];

/** What came of it, in words; null: nothing that anybody notices. */
export function effectOf({ kind, device, reason, hook }: Outcome): string | null {
  if (kind === 'delivered') return 'it is handed to the sockets and the ICMP of the pod';
  if (kind === 'left') return `it leaves by ${device?.name ?? 'no device'}`;
  if (kind === 'held') return 'it is kept until the rest of its datagram comes';
  if (kind === 'queued') return 'user space decides';
  if (kind === 'other') return reason === 'ARP' ? 'it reaches the ARP of the pod' : null;
  if (kind === 'refused' && hook === 'prerouting' && answered.includes(reason))
    return `the kernel answers: ${reason}`;
  return null;
}

const macText = (mac: readonly number[]) => mac.map((octet) => octet.toString(16).padStart(2, '0')).join(':');

function isUnicast(destination: string): boolean {
  const { family, value } = addressNumber(destination);
  if (family === 4) return value >> 24n !== 0n && value >> 24n !== 127n && value < 0xe000_0000n;
  return value > 1n && value >> 120n !== 0xffn;
}

/** Invariant 1 of an IP packet: who says that it sends it. */
function ipObjection({ network }: StandingSandbox, packet: IpPacket): string | null {
  const { ipv4, ipv6, guestMac } = network;
  const own = isIpv6(packet.source) ? ipv6 : ipv4;
  if (own === null) return 'IPv6 is off for this guest';
  if (packet.source !== own.guest) return `${packet.source} is not the guest's address`;
  if (packet.body.kind === 'nd') {
    if (packet.body.type !== 135) return 'of neighbour discovery a guest only solicits';
    const asked = [own.gateway, own.resolver].includes(packet.body.target);
    const pair = macText(packet.body.mac) === guestMac;
    return asked && pair && packet.hops === 255
      ? null
      : 'the solicitation does not bind the pair of the guest';
  }
  return packet.options === true ? 'options make the kernel answer' : null;
}

function destinationObjection({ network }: StandingSandbox, packet: IpPacket): string | null {
  const own = isIpv6(packet.source) ? network.ipv6 : network.ipv4;
  if (own === null || packet.body.kind === 'nd') return null;
  if (!isUnicast(packet.destination)) return `${packet.destination} is no unicast address`;
  const subnet = isIpv6(own.gateway) ? null : intervalOf(`${own.gateway}/30`);
  if (subnet !== null && addressNumber(packet.destination).value === subnet.last) return 'a broadcast';
  return null;
}

function arpObjection({ network }: StandingSandbox, arp: ArpPacket): string | null {
  const { guestMac, ipv4 } = network;
  if (macText(arp.senderMac) !== guestMac || arp.sender !== ipv4.guest)
    return 'it does not bind the pair of the guest';
  if (![ipv4.gateway, ipv4.resolver].includes(arp.target)) return 'it is neither for gateway nor resolver';
  return arp.operation === 1 || arp.operation === 2 ? null : 'neither request nor reply';
}

/** Why a frame from a tap must have no effect; null: it may have one. */
function frameObjection(sandbox: StandingSandbox, { link, content }: Packet): string | null {
  if (link.tags.length > 0) return 'it is tagged';
  if (macText(link.from) !== sandbox.network.guestMac) return 'its MAC is not the guest’s';
  if (content.kind === 'other') return 'neither IP nor ARP';
  return content.kind === 'arp' ? arpObjection(sandbox, content) : ipObjection(sandbox, content);
}

const isDiscovery = ({ content }: Packet) => content.kind === 'ip' && content.body.kind === 'nd';

/** Where the packet goes that a guest sends, as a policy sees it. */
function sentBy(packet: IpPacket) {
  const { body, destination } = packet;
  const port = body.kind === 'tcp' || body.kind === 'udp' ? body.dport : null;
  const echo = body.kind === 'icmp' && body.type === (isIpv6(packet.source) ? 128 : 8);
  return { destination, protocol: protocolOf(packet), port, echo };
}

/** As the packet is when it leaves. */
export function sourceOf({ packet }: Outcome): string | null {
  const { family } = packet;
  if (family !== 4 && family !== 6) return null;
  const bytes = constantBytes(addressBits(packet, 'source')) ?? [];
  return addressText({ family, value: bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) });
}

export function toResolver({ network }: StandingSandbox, { destination, body, source }: IpPacket): boolean {
  const own = isIpv6(source) ? network.ipv6 : network.ipv4;
  return (body.kind === 'tcp' || body.kind === 'udp') && body.dport === 53 && destination === own?.resolver;
}

/** A packet that a tap received. */
export function fromTap(
  situation: Situation,
  tap: string,
  packet: Packet,
  outcome: Outcome,
  flow: FlowFacts | null,
): Broken | null {
  const sandbox = situation.standing.get(tap);
  // A datagram is judged when it is whole; that parts wait for the rest is a hold of its sender on memory.
  if (outcome.kind === 'held' && sandbox === undefined) return null;
  if (sandbox === undefined) return broken('an interface that is not named gets nothing', 'F4 invariant 7');
  const { content } = packet;
  const objection = frameObjection(sandbox, packet);
  if (objection !== null) return broken(`no effect: ${objection}`, 'F4 invariant 1');
  const unfit = content.kind === 'ip' ? destinationObjection(sandbox, content) : null;
  if (outcome.kind === 'held') return null;
  if (unfit !== null) return broken(`no effect: ${unfit}`, 'F4 invariant 1');
  if (content.kind !== 'ip' || isDiscovery(packet)) return null;
  if (flow !== null && (flow.tap !== tap || !flow.admitted))
    return broken('no effect: no policy in force admits the first packet of the flow', 'F4 invariant 4');
  const { body } = content;
  const begins = body.kind !== 'tcp' || (body.flags & 0x17) === 0x02;
  if (flow === null && !begins)
    return broken('no effect: a TCP flow begins with SYN, this belongs to none', 'F4 invariant 4');
  if (outcome.kind === 'delivered') {
    return toResolver(sandbox, content) && flow?.error !== true
      ? null
      : broken('of the pod only the resolver, port 53, is reached', 'F4 invariant 2');
  }
  if (outcome.kind !== 'left') return leavesNot(situation, sandbox, content);
  return leaving(situation, sandbox, content, outcome, flow);
}

/** The kernel's answer is an effect of a packet that may leave, and of no other. */
function leavesNot({ pod }: Situation, sandbox: StandingSandbox, content: IpPacket): Broken | null {
  const answers = sandbox.policies.map((policy) => mayLeave(pod, policy, sandbox.pins, sentBy(content)));
  if (answers.some(({ allowed }) => allowed)) return null;
  return broken(`no answer: ${answers[0]?.rule ?? 'no policy'}`, 'F4 invariant 1');
}

export function leaving(
  { pod, standing, taps }: Situation,
  sandbox: StandingSandbox,
  content: IpPacket,
  outcome: Outcome,
  flow: FlowFacts | null,
): Broken | null {
  if (taps.includes(outcome.device?.name ?? '')) return broken('tap never talks to tap', 'F4 invariant 5');
  if (outcome.device?.name !== pod.uplink) return broken('it leaves by the uplink only', 'F4 invariant 3');
  const source = sourceOf(outcome);
  const guests = [...standing.values()].flatMap(({ network: { ipv4, ipv6 } }) => [ipv4.guest, ipv6?.guest]);
  if (guests.includes(source ?? '') || source === content.source)
    return broken(`never with a guest's source, ${source}`, 'F4 invariant 3');
  if (flow !== null && !flow.error) return null;
  const answers = sandbox.policies.map((policy) => mayLeave(pod, policy, sandbox.pins, sentBy(content)));
  if (answers.some(({ allowed }) => allowed)) return null;
  return broken(`it does not leave: ${answers[0]?.rule ?? 'no policy'}`, 'F4 invariant 3');
}

/** ICMP errors that path MTU discovery and closed ports need. */
const errorTypes = { 4: [3, 11, 12], 6: [1, 2, 3, 4] } as const;

/** A packet from the uplink or the pod: whether it may leave by a tap. */
export function towardsTap(
  { standing }: Situation,
  tap: string,
  packet: Packet,
  flow: FlowFacts | null,
): Broken | null {
  const sandbox = standing.get(tap);
  if (sandbox === undefined) return broken('an interface that is not named gets nothing', 'F4 invariant 7');
  const { content } = packet;
  if (content.kind !== 'ip') return null;
  if (flow !== null) {
    const own = flow.tap === tap && flow.admitted;
    const types: readonly number[] = errorTypes[isIpv6(content.source) ? 6 : 4];
    const fits = flow.error
      ? content.body.kind === 'icmp' && types.includes(content.body.type)
      : flow.direction === 'reply' || packet.port !== null;
    return own && fits ? null : broken('only replies to admitted flows reach the guest', 'F4 invariant 5');
  }
  const opened = sandbox.policies.flatMap(({ inbound }) => inbound);
  const { body, source } = content;
  const direct = content.destination === sandbox.network.ipv4.guest;
  const fits = opened.some(
    ({ protocol, podPort, from }) =>
      !direct &&
      packet.port !== null &&
      body.kind === protocol &&
      body.dport === podPort &&
      contains(from, source),
  );
  return fits ? null : broken('only replies, or a port that the policy opens', 'F4 invariant 5');
}

function contains(prefix: string, address: string): boolean {
  const interval = intervalOf(prefix);
  const { family, value } = addressNumber(address);
  return family === interval.family && value >= interval.first && value <= interval.last;
}
