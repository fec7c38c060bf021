/** F4.input, F4.source, F4.established: what a guest may send, and what it never reaches. */
import { addressText, intervalOf } from '#properties/oracles/addresses/address-number.ts';
import { always, type Bdd, never } from '#properties/oracles/bdd/bdd.ts';
import { equals, equalsOctets } from '#properties/oracles/nft/prove/counterexample.ts';
import type { Condition } from '#properties/oracles/nft/prove/prove.ts';
import { deviceNamed, type Topology } from '#properties/oracles/nft/topology.ts';
import type { Facts, GuestTap } from '../facts.ts';
import {
  addressIs,
  addressWithin,
  arpBinds,
  ended,
  goesTo,
  hasEffect,
  inFlow,
  macIs,
  ownAddresses,
  sourceIs,
  withoutLength,
} from '../packet-conditions.ts';
import { ofIp, type Part, type Question } from '../part.ts';
import { destination, inState, readable, source } from './preferences.ts';

export interface Asked {
  readonly facts: Facts;
  readonly topology: Topology;
  /** Whether the ruleset has connections of the family tracked. */
  readonly conntrack: (family: 4 | 6) => boolean;
  /** Devices that have an ingress chain: only there a frame's tags are seen. */
  readonly ingress: ReadonlySet<string>;
}

const noResolver = {
  reason: 'nobody said where the resolver is',
  give: '--resolver ADDRESS, or --resolver none',
} as const;

/** Nothing that the destination says is special: no group, no broadcast, no loopback. */
function isPlainUnicast({ topology }: Asked, device: string): Condition {
  const broadcasts = ['255.255.255.255/32', '224.0.0.0/4', '127.0.0.0/8', '0.0.0.0/8', '240.0.0.0/4'];
  const subnet = ownAddresses(topology, device).filter((text) => !text.includes(':'));
  return (unknown, bdds) => {
    const wide = addressWithin(bdds, unknown.shape, unknown.destination, broadcasts);
    const own = subnet.map((text) => addressIs(bdds, unknown.shape, unknown.destination, broadcastOf(text)));
    return bdds.or(wide, bdds.any(own)) ^ 1;
  };
}

/** The last address of a subnet; of a /31 or /32 there is none, and the broadcast to all stands for it. */
function broadcastOf(text: string): string {
  const { first, last } = intervalOf(text);
  return last - first < 2n ? '255.255.255.255' : addressText({ family: 4, value: last });
}

/** Of a guest whose own nobody said. */
const someMac = [2, 0, 0, 0, 0, 2];

export const link = ({ topology }: Pick<Asked, 'topology'>, tap: GuestTap) => ({
  from: tap.mac ?? someMac,
  to: deviceNamed(topology, tap.device).mac,
});

/** From its own address and MAC, untagged. */
function asItself({ guest, mac }: GuestTap): Condition {
  return (unknown, bdds) =>
    bdds.and(sourceIs(unknown, bdds, guest), mac === null ? always : macIs(bdds, unknown.linkSource, mac));
}

export function inputParts(asked: Asked, tap: GuestTap): Part[] {
  const { resolver } = asked.facts;
  const head = {
    claim: 'F4.input',
    name: 'listeners',
    never: `from ${tap.guest} on ${tap.tap} a packet is delivered to anything but the resolver's port 53`,
  } as const;
  if (resolver === undefined) return [{ ...head, ...noResolver }];
  const own = ownAddresses(asked.topology, asked.facts.uplink ?? '').map(withoutLength);
  return [
    {
      ...head,
      device: tap.device,
      shapes: ({ family, tags }) => family === 4 && tags === 0,
      of: (unknown, bdds) => bdds.and(asItself(tap)(unknown, bdds), inFlow(bdds, unknown) ^ 1),
      against: ({ kind, packet }, _, bdds) => {
        if (kind !== 'delivered') return never;
        return isResolver(packet, resolver)(bdds) ^ 1;
      },
      prefer: readable([own.map(destination)], link(asked, tap)),
    },
  ];
}

function isResolver(packet: Parameters<typeof ended>[0], resolver: string | null) {
  return (bdds: Parameters<typeof goesTo>[0]): Bdd => {
    if (resolver === null) return never;
    const there = ended(packet);
    const port = { first: 53, last: 53 };
    return bdds.and(
      addressIs(bdds, packet, there.destination, resolver),
      bdds.or(goesTo(bdds, there, 'udp', port), goesTo(bdds, there, 'tcp', port)),
    );
  };
}

type Ask = (
  name: string,
  what: string,
  shapes: Question['shapes'],
  of: Condition,
  prefer: Question['prefer'],
) => Question;

/** Everything that is not the guest's own, untagged, unicast IPv4, nor ARP for its own binding. */
export function sourceParts(asked: Asked, tap: GuestTap): Part[] {
  const { facts, topology } = asked;
  const gateways = ownAddresses(topology, tap.device).filter((text) => !text.includes(':'));
  const targets = [...gateways.map(withoutLength), ...(facts.resolver ? [facts.resolver] : [])];
  const plain = isPlainUnicast(asked, tap.device);
  const effect: Question['against'] = (outcome) => (hasEffect(outcome) ? outcome.when : never);
  const base = { claim: 'F4.source', device: tap.device, against: effect } as const;
  const untagged4: Question['shapes'] = ({ family, tags }) => family === 4 && tags === 0;
  const other = otherSource(tap.guest);
  const question: Ask = (name, what, shapes, of, prefer) => ({
    ...base,
    name,
    never: `${what} on ${tap.tap} has an effect`,
    shapes,
    of,
    prefer,
  });
  const ends = link(asked, tap);
  const own = ownAddresses(topology, facts.uplink ?? '').map((text) => destination(withoutLength(text)));
  return [
    question('address', `IPv4 from another source than ${tap.guest}`, untagged4, other, [
      ...readable([[source(networkOf(gateways[0] ?? '10.0.0.1/30')), source('8.8.8.8')], own], ends),
    ]),
    question(
      'destination',
      `IPv4 from ${tap.guest} to broadcast, multicast or loopback`,
      untagged4,
      (unknown, bdds) =>
        bdds.all([asItself(tap)(unknown, bdds), inFlow(bdds, unknown) ^ 1, plain(unknown, bdds) ^ 1]),
      readable([[destination('255.255.255.255'), destination('224.0.0.1')]], ends),
    ),
    question(
      'ipv6',
      'IPv6',
      ({ family, tags }) => family === 6 && tags === 0,
      () => 0,
      [...readable([[source('fe80::ff:fe00:2')]], ends)],
    ),
    tagged(asked, tap, question),
    ...bindingParts(asked, tap, question, targets),
  ];
}

/** What rests on the guest's MAC. */
function bindingParts(asked: Asked, tap: GuestTap, question: Ask, targets: readonly string[]): Part[] {
  const { mac, guest } = tap;
  const other = `IPv4 from ${guest} with another MAC`;
  const arp = `ARP that does not bind ${guest} to its MAC, or asks for another than gateway and resolver,`;
  if (mac === null) {
    const lack = { reason: 'nobody said what MAC the guest has', give: '--guest-mac MAC' };
    return [
      { claim: 'F4.source', name: 'mac', never: `${other} on ${tap.tap} has an effect`, ...lack },
      { claim: 'F4.source', name: 'arp', never: `${arp} on ${tap.tap} has an effect`, ...lack },
    ];
  }
  const ends = { from: [2, 0, 0, 0, 0, 0x66], to: link(asked, tap).to };
  const own = ownAddresses(asked.topology, asked.facts.uplink ?? '').map(withoutLength);
  const gateway = targets[0] ?? '10.0.0.1';
  return [
    question(
      'mac',
      other,
      ({ family, tags }) => family === 4 && tags === 0,
      (unknown, bdds) => bdds.and(sourceIs(unknown, bdds, guest), macIs(bdds, unknown.linkSource, mac) ^ 1),
      readable([own.map(destination)], ends),
    ),
    question(
      'arp',
      arp,
      ({ family, tags }) => family === 'arp' && tags === 0,
      (unknown, bdds) => arpBinds(unknown, bdds, mac, guest, targets) ^ 1,
      // A claim of the gateway's address, by the guest's MAC, to everybody, as a request.
      [
        [(unknown, bdds) => arpBinds(unknown, bdds, mac, gateway, [gateway])],
        [(unknown, bdds) => bdds.all(unknown.linkDestination)],
        [(unknown, bdds) => equalsOctets(bdds, unknown.parts.network.slice(48, 64), [0, 1])],
      ],
    ),
  ];
}

/** No chain sees a tag where there is none at ingress: what passes without one passes with identifier 0. */
function tagged(asked: Asked, tap: GuestTap, question: Ask): Question {
  const seen = asked.ingress.has(tap.device);
  const shapes: Question['shapes'] = ({ tags, family }) => (seen ? tags > 0 : tags === 0 && family === 4);
  const own = ownAddresses(asked.topology, asked.facts.uplink ?? '').map(withoutLength);
  const prefer = readable([[source(tap.guest)], own.map(destination)], link(asked, tap));
  const made = question('tags', 'a frame with VLAN tags', shapes, () => 0, prefer);
  return seen ? made : { ...made, priorityTag: true };
}

const otherSource =
  (guest: string): Condition =>
  (unknown, bdds) =>
    sourceIs(unknown, bdds, guest) ^ 1;

const networkOf = (text: string) => addressText({ family: 4, value: intervalOf(text).first });

/** Flows are entries of conntrack; without it no packet belongs to one. */
export function establishedParts({ facts, topology, conntrack }: Asked, tap: GuestTap): Part[] {
  const accepted: Question['against'] = ({ kind, when }) =>
    kind === 'delivered' || kind === 'left' ? when : never;
  const tracked: Question['shapes'] = (shape) => ofIp(shape) && conntrack(shape.family === 6 ? 6 : 4);
  const base = { claim: 'F4.established', device: tap.device, shapes: tracked, against: accepted } as const;
  const ends = link({ topology }, tap);
  const own = ownAddresses(topology, facts.uplink ?? '').map(withoutLength);
  return [
    {
      ...base,
      name: 'forged reply',
      never: `a packet on ${tap.tap} passes as part of a flow that is not ${tap.guest}'s`,
      of: (unknown, bdds) => bdds.and(unknown.connection.established, otherSource(tap.guest)(unknown, bdds)),
      prefer: readable([[source('8.8.8.8')], own.map(destination), [repliesUntranslated]], ends),
    },
    {
      ...base,
      name: 'forged error',
      never: `an ICMP error on ${tap.tap} passes as related to a flow that is not ${tap.guest}'s`,
      of: (unknown, bdds) => {
        const { related, own: flow } = unknown.connection;
        if (flow === null) return never;
        const others = addressIs(bdds, unknown.shape, flow.source, tap.guest) ^ 1;
        return bdds.all([
          related,
          others,
          equals(bdds, unknown.protocol, unknown.shape.family === 6 ? 58 : 1),
        ]);
      },
      prefer: readable([[source(tap.guest)], own.map(destination), [inState('related')]], ends),
    },
  ];
}

const repliesUntranslated: Condition = ({ connection }, bdds) =>
  bdds.all([connection.reply, connection.sourceNat ^ 1, connection.destinationNat ^ 1]);
