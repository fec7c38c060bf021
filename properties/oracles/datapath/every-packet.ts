/**
 * findings.md F4, invariants 1 to 7, of all packets at once: for each outcome the packets that must not have
 * it. That a flow was admitted is known by its mark: what is new gets it where the policy allows it, and only
 * there; whatever else passes has it already.
 */
import type { ConfigOf, InputOf } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';
import { intervalOf } from '../addresses/address-number.ts';
import { type AddressLogic, addressRules, type BitRange, type Policy } from '../addresses/address-rules.ts';
import { always, type Bdd, type Bdds, never } from '../bdd/bdd.ts';
import { type Bits, numberBits, withinBits } from '../bdd/bit-vector.ts';
import { inPrefix, isAddress, isLocal } from '../nft/evaluate/fib.ts';
import { addressBits } from '../nft/evaluate/packet.ts';
import type { Outcome } from '../nft/evaluate/pipeline.ts';
import { equals, equalsOctets } from '../nft/prove/counterexample.ts';
import type { Unknown } from '../nft/prove/unknown-packet.ts';
import type { Topology } from '../nft/topology.ts';
import { cidrsOf, type Pin, type SandboxPolicy } from './policy.ts';

type Pod = ConfigOf<typeof ruleset>;
type Network = Extract<InputOf<typeof ruleset>['event'], { kind: 'open-sandbox' }>['network'];

/** One sandbox in a pod; `mark` is that of the flows that its policy admitted. */
export interface Described {
  readonly pod: Pod;
  readonly network: Network;
  readonly policy: SandboxPolicy;
  readonly pins: readonly Pin[];
  readonly mark: number;
  readonly topology: Topology;
}

function logicOf(bdds: Bdds): AddressLogic<Bits, Bdd> {
  const part = (address: Bits, { from, count }: BitRange) => address.slice(from, from + count);
  return {
    always,
    never,
    within: (address, { first, last }) =>
      withinBits(bdds, address, numberBits(first, address.length), numberBits(last, address.length)),
    equals: (address, bits, value) => equals(bdds, part(address, bits), value),
    ipv4At: (address, ranges) => ranges.flatMap((bits) => part(address, bits)),
    not: (operand) => operand ^ 1,
    and: (left, right) => bdds.and(left, right),
    or: (left, right) => bdds.or(left, right),
  };
}

/** Addresses that the address policy lets be pinned, as what they are; `mapped`: as their IPv4, too. */
function pinnable(bdds: Bdds, policy: Policy, address: Bits, mapped: boolean): Bdd {
  let undecided: Bdd = always;
  let pinned: Bdd = never;
  for (const { when, mayPin, as } of addressRules(
    policy,
    address.length === 32 ? 4 : 6,
    address,
    logicOf(bdds),
  )) {
    if (mayPin && (mapped || as === 'itself')) pinned = bdds.or(pinned, bdds.and(undecided, when));
    undecided = bdds.and(undecided, when ^ 1);
    if (undecided === never) break;
  }
  return pinned;
}

const protocolNumber = { tcp: 6, udp: 17 } as const;

/** Invariant 3: (protocol, address, port) that may be sent to. */
export function allowedNow(described: Described, unknown: Unknown, bdds: Bdds): Bdd {
  const { pod, policy, pins } = described;
  const { destination, destinationPort, protocol, shape, parts } = unknown;
  const family = shape.family === 4 ? 4 : 6;
  const own = {
    denyCIDRs: pod.denyCIDRs,
    nat64Prefixes: pod.nat64Prefixes,
    pinPrivateCIDRs: pod.pinPrivateCIDRs,
  };
  const forever = { ...own, pinPrivateCIDRs: ['0.0.0.0/0', '::/0'] };
  const is = (name: 'tcp' | 'udp') => equals(bdds, protocol, protocolNumber[name]);
  const place = (name: 'tcp' | 'udp', port: number) =>
    bdds.and(is(name), equals(bdds, destinationPort, port));
  const named = cidrsOf(policy)
    .filter(({ interval }) => interval.family === family)
    .map(({ protocol: name, port, interval }) =>
      bdds.and(place(name, port), logicOf(bdds).within(destination, interval)),
    );
  const pinned = pins
    .filter(({ address }) => address.includes(':') === (family === 6))
    .map(({ address, protocol: name, port }) =>
      bdds.and(place(name, port), isAddress(bdds, destination, address)),
    );
  const type = equals(bdds, parts.transport.read(0, 1), family === 4 ? 8 : 128);
  const echo = bdds.and(equals(bdds, protocol, family === 4 ? 1 : 58), type);
  const anything = policy.egress === 'allow' ? bdds.any([is('tcp'), is('udp'), echo]) : never;
  const reachable = bdds.and(pinnable(bdds, own, destination, false), bdds.any([...pinned, anything]));
  return bdds.and(pinnable(bdds, forever, destination, true), bdds.any([...named, reachable]));
}

const macOctets = (mac: string) => mac.split(':').map((octet) => Number.parseInt(octet, 16));

/** Invariant 1, the packet itself. */
function wellFormed({ network }: Described, unknown: Unknown, bdds: Bdds): Bdd {
  const { shape, linkSource, source, destination, parts } = unknown;
  if (shape.tags > 0 || shape.family === 'other') return never;
  const mac = equalsOctets(bdds, linkSource, macOctets(network.guestMac));
  if (shape.family === 'arp') return bdds.and(mac, boundArp(network, parts.network, bdds));
  const own = shape.family === 4 ? network.ipv4 : network.ipv6;
  if (own === null) return never;
  const isGuest = isAddress(bdds, source, own.guest);
  const odd = shape.family === 4 ? ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'] : ['::/127', 'ff00::/8'];
  const unicast = bdds.any(odd.map((prefix) => inPrefix(bdds, destination, prefix))) ^ 1;
  const plain = parts.headerWords === null ? always : equals(bdds, parts.headerWords, 5);
  return bdds.all([mac, isGuest, bdds.or(bdds.and(unicast, plain), solicits(network, unknown, bdds))]);
}

function boundArp({ guestMac, ipv4 }: Network, header: Bits, bdds: Bdds): Bdd {
  const field = (from: number, octets: number) => header.slice(from * 8, (from + octets) * 8);
  const targets = [ipv4.gateway, ipv4.resolver].map((text) => isAddress(bdds, field(24, 4), text));
  return bdds.all([
    bdds.any([1, 2].map((operation) => equals(bdds, field(6, 2), operation))),
    equalsOctets(bdds, field(8, 6), macOctets(guestMac)),
    isAddress(bdds, field(14, 4), ipv4.guest),
    bdds.any(targets),
  ]);
}

/** RFC 4861: a solicitation for gateway or resolver, with the guest's MAC as its only option. */
function solicits({ guestMac, ipv6 }: Network, { shape, protocol, parts }: Unknown, bdds: Bdds): Bdd {
  if (shape.family !== 6 || ipv6 === null) return never;
  const at = (offset: number, octets: number) => parts.transport.read(offset, octets);
  return bdds.all([
    equals(bdds, protocol, 58),
    equals(bdds, at(0, 1), 135),
    bdds.any([ipv6.gateway, ipv6.resolver].map((text) => isAddress(bdds, at(8, 16), text))),
    equalsOctets(bdds, at(24, 8), [1, 1, ...macOctets(guestMac)]),
  ]);
}

const answered = ['hop limit reached', 'no route'];

function isEffect({ kind, reason, hook }: Outcome): boolean {
  if (kind === 'other') return reason === 'ARP';
  if (kind === 'refused') return hook === 'prerouting' && answered.includes(reason);
  return kind === 'delivered' || kind === 'left' || kind === 'queued';
}

const marked = ({ packet }: Outcome, mark: number, bdds: Bdds): Bdd =>
  packet.tracked === null ? never : equals(bdds, packet.tracked.mark, mark);

/** A packet of the guest: invariants 1 to 4. */
export function againstTap(described: Described, outcome: Outcome, unknown: Unknown, bdds: Bdds): Bdd {
  if (!isEffect(outcome)) return never;
  const { network, pod, mark } = described;
  const malformed = wellFormed(described, unknown, bdds) ^ 1;
  const { family } = unknown.shape;
  if (family !== 4 && family !== 6) return malformed;
  const own = family === 4 ? network.ipv4 : network.ipv6;
  if (own === null) return always;
  const { connection, destination, destinationPort, protocol } = unknown;
  const ports = bdds.or(equals(bdds, protocol, 6), equals(bdds, protocol, 17));
  const query = bdds.all([
    isAddress(bdds, destination, own.resolver),
    equals(bdds, destinationPort, 53),
    ports,
  ]);
  const discovery = solicits(network, unknown, bdds);
  const admitted = bdds.and(connection.established, equals(bdds, connection.mark, mark));
  const may = bdds.any([allowedNow(described, unknown, bdds), admitted]);
  if (outcome.kind === 'delivered') return bdds.or(malformed, bdds.or(query, discovery) ^ 1);
  if (outcome.kind !== 'left') return bdds.or(malformed, may ^ 1);
  if (outcome.device?.name !== pod.uplink) return always;
  const guests = isAddress(bdds, addressBits(outcome.packet, 'source'), own.guest);
  return bdds.any([malformed, may ^ 1, guests, marked(outcome, mark, bdds) ^ 1]);
}

/** Whatever comes in elsewhere: invariants 5, 6 and, of marks, 4. `device` null: the pod sends it. */
export function againstOthers(
  described: Described,
  device: string | null,
  outcome: Outcome,
  unknown: Unknown,
  bdds: Bdds,
): Bdd {
  const { network, pod, mark, topology } = described;
  const { family } = unknown.shape;
  if (family !== 4 && family !== 6) return never;
  const { connection } = unknown;
  const had = equals(bdds, connection.mark, mark);
  if (outcome.kind === 'left' && outcome.device?.name === network.tap) {
    const reply = bdds.all([connection.established, connection.reply, had]);
    const types = family === 4 ? [3, 11, 12] : [1, 2, 3, 4];
    const error = bdds.any(types.map((type) => equals(bdds, unknown.parts.transport.read(0, 1), type)));
    const isIcmp = equals(bdds, unknown.protocol, family === 4 ? 1 : 58);
    const about = bdds.all([connection.related, had, isIcmp, error]);
    return (
      bdds.any([
        reply,
        about,
        opened(described, device, unknown, bdds),
        advertises(described, device, unknown, bdds),
      ]) ^ 1
    );
  }
  const flow = bdds.or(connection.established, connection.related);
  if (outcome.kind !== 'dropped') return bdds.and(marked(outcome, mark, bdds), bdds.and(flow, had) ^ 1);
  // What a rule drops must not have been the pod's.
  if (device === null) {
    const outward = outcome.device?.name === pod.uplink || outcome.device?.name === 'lo';
    return outward ? notGuests(described, unknown, bdds) : never;
  }
  if (device !== pod.uplink) return never;
  const translated = bdds.or(connection.sourceNat, connection.destinationNat);
  return bdds.and(isLocal(bdds, topology, unknown.destination, family), translated ^ 1);
}

function notGuests({ network }: Described, { source, shape }: Unknown, bdds: Bdds): Bdd {
  const own = shape.family === 4 ? network.ipv4 : network.ipv6;
  return own === null ? always : isAddress(bdds, source, own.guest) ^ 1;
}

/** A port that the policy opens: the packets that are translated to the guest, as they came. */
function opened({ policy, topology }: Described, device: string | null, unknown: Unknown, bdds: Bdds): Bdd {
  if (device === null || unknown.shape.family !== 4) return never;
  const { connection, protocol, destinationPort, source } = unknown;
  const ways = policy.inbound.map(({ protocol: name, podPort, from }) => {
    const interval = intervalOf(from);
    const begins = bdds.all([
      equals(bdds, protocol, protocolNumber[name]),
      equals(bdds, destinationPort, podPort),
      logicOf(bdds).within(source, interval),
      isLocal(bdds, topology, unknown.destination, 4),
    ]);
    // Later packets: the flow was translated, so that it began so.
    const goesOn = bdds.all([connection.established, connection.reply ^ 1, connection.destinationNat]);
    return bdds.or(bdds.and(connection.isNew, begins), goesOn);
  });
  return bdds.any(ways);
}

/** The pod's kernel tells the guest where the gateway is. */
function advertises(
  { network: { ipv6 } }: Described,
  device: string | null,
  unknown: Unknown,
  bdds: Bdds,
): Bdd {
  if (device !== null || ipv6 === null || unknown.shape.family !== 6) return never;
  return bdds.all([
    equals(bdds, unknown.protocol, 58),
    equals(bdds, unknown.parts.transport.read(0, 1), 136),
    isAddress(bdds, unknown.destination, ipv6.guest),
  ]);
}

/** Invariant 7; ARP is below the hooks that see every interface. */
export function againstUnnamed(outcome: Outcome): Bdd {
  return isEffect(outcome) && outcome.kind !== 'other' ? always : never;
}

/**
 * No helper expects connections: what is related is an ICMP error. Translations are those that these rulesets
 * make: of a guest's flow the source, of an inbound port’s the destination, of
 * the pod’s own flows none.
 */
export function trackedAsHere(device: string | null, unknown: Unknown, bdds: Bdds): Bdd {
  const { sourceNat, destinationNat, reply, related } = unknown.connection;
  const icmp = equals(bdds, unknown.protocol, unknown.shape.family === 6 ? 58 : 1);
  // What the parts of an IPv6 datagram may become is too much of a guess: an outcome of its own, not judged.
  const whole = unknown.shape.family === 6 ? unknown.parts.fragmented ^ 1 : always;
  const unexpected = unknown.protocol.length === 8 ? bdds.and(related, icmp ^ 1) ^ 1 : always;
  if (device === null) return bdds.all([whole, unexpected, bdds.or(sourceNat, destinationNat) ^ 1]);
  const other = device.startsWith('tap')
    ? bdds.or(bdds.and(destinationNat, reply ^ 1), bdds.and(sourceNat, reply))
    : bdds.or(bdds.and(sourceNat, reply ^ 1), bdds.and(destinationNat, reply));
  return bdds.all([whole, unexpected, other ^ 1]);
}
