/**
 * Where the kernel sends a packet between prerouting and the next hook: ip_route_input_slow, ip6_route_input,
 * ip_forward and ip6_forward, without source routing and reverse-path filters.
 */
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, equalBits, lessBits, numberBits } from '../../bdd/bit-vector.ts';
import { type Device, localRanges, routesOf, type Topology } from '../topology.ts';
import { inPrefix, inRange, isAddress, isLocal, isSubnetBroadcast } from './fib.ts';
import { addressBits, type Packet } from './packet.ts';

export interface Routed {
  /** Delivered here. */
  readonly local: Bdd;
  readonly forwarded: readonly (readonly [Device, Bdd])[];
  readonly refused: readonly (readonly [reason: string, Bdd])[];
}

/** Hands out conditions in order: each packet gets the first that fits. */
class Ladder {
  readonly #bdds: Bdds;
  #rest: Bdd = always;

  constructor(bdds: Bdds) {
    this.#bdds = bdds;
  }

  take(when: Bdd): Bdd {
    const taken = this.#bdds.and(this.#rest, when);
    this.#rest = this.#bdds.and(this.#rest, when ^ 1);
    return taken;
  }
}

export function routeInput(bdds: Bdds, topology: Topology, packet: Packet, input: Device): Routed {
  return packet.family === 4 ? routeIpv4(bdds, topology, packet) : routeIpv6(bdds, topology, packet, input);
}

function routeIpv4(bdds: Bdds, topology: Topology, packet: Packet): Routed {
  const source = addressBits(packet, 'source');
  const destination = addressBits(packet, 'destination');
  const is = (address: Bits, text: string) => isAddress(bdds, address, text);
  const inside = (address: Bits, prefix: string) => inPrefix(bdds, address, prefix);
  const ladder = new Ladder(bdds);
  const refused: [string, Bdd][] = [];
  const refuse = (reason: string, when: Bdd) => refused.push([reason, ladder.take(when)]);
  const noSource = is(source, '0.0.0.0');
  const ownSource = isHeldExactly(bdds, topology, source);
  refuse(
    'a source that is multicast or broadcast',
    bdds.or(inside(source, '224.0.0.0/4'), is(source, '255.255.255.255')),
  );
  const toAll = bdds.or(is(destination, '255.255.255.255'), bdds.and(noSource, is(destination, '0.0.0.0')));
  refuse('broadcast from an own address', bdds.and(toAll, ownSource));
  const broadcast = ladder.take(toAll);
  const multicast = inside(destination, '224.0.0.0/4');
  const linkLocalGroup = bdds.and(noSource, inside(destination, '224.0.0.0/24'));
  refuse('a source in 0.0.0.0', bdds.and(noSource, linkLocalGroup ^ 1));
  refuse('a loopback source', inside(source, '127.0.0.0/8'));
  refuse('an own address as source', ownSource);
  const joined = ladder.take(is(destination, '224.0.0.1'));
  refuse('a group that nobody joined', multicast);
  refuse('a destination in 0.0.0.0', is(destination, '0.0.0.0'));
  refuse('a loopback destination', inside(destination, '127.0.0.0/8'));
  const own = ladder.take(isLocal(bdds, topology, destination, 4));
  const subnet = ladder.take(isSubnetBroadcast(bdds, topology, destination));
  const forwarded = forward(bdds, topology, packet, ladder, refused);
  return { local: bdds.any([broadcast, joined, own, subnet]), forwarded, refused };
}

/** The kernel asks its table of own addresses, not the loopback block. */
function isHeldExactly(bdds: Bdds, topology: Topology, address: Bits): Bdd {
  return bdds.any(
    topology.devices
      .flatMap((device) => device.addresses)
      .filter((text) => !text.includes(':'))
      .map((text) => isAddress(bdds, address, text.split('/')[0] ?? '')),
  );
}

function forward(
  bdds: Bdds,
  topology: Topology,
  packet: Packet,
  ladder: Ladder,
  refused: [string, Bdd][],
): [Device, Bdd][] {
  const family = packet.family === 4 ? 4 : 6;
  const allowed = family === 4 ? topology.forwarding.ipv4 : topology.forwarding.ipv6;
  if (!allowed) {
    refused.push(['forwarding is off', ladder.take(always)]);
    return [];
  }
  const destination = addressBits(packet, 'destination');
  const byDevice = new Map<Device, Bdd>();
  const unroutable = ladder.take(
    bdds.any(routesOf(topology, family).map((route) => inRange(bdds, destination, route))) ^ 1,
  );
  refused.push(['no route', unroutable]);
  const hops = packet.network.read(family === 4 ? 8 : 7, 1);
  refused.push([
    'not sent to this host on the link',
    ladder.take(equalBits(bdds, packet.packetType, numberBits(0, 8)) ^ 1),
  ]);
  refused.push(['hop limit reached', ladder.take(lessBits(bdds, hops, numberBits(2, 8)))]);
  if (family === 6) {
    const source = addressBits(packet, 'source');
    const unfit = bdds.or(isAddress(bdds, source, '::'), inPrefix(bdds, source, 'fe80::/10'));
    refused.push(['a source that is not forwarded', ladder.take(unfit)]);
  }
  for (const route of routesOf(topology, family)) {
    const when = ladder.take(inRange(bdds, destination, route));
    byDevice.set(route.device, bdds.or(byDevice.get(route.device) ?? never, when));
  }
  return [...byDevice];
}

function routeIpv6(bdds: Bdds, topology: Topology, packet: Packet, input: Device): Routed {
  const destination = addressBits(packet, 'destination');
  const ladder = new Ladder(bdds);
  const refused: [string, Bdd][] = [];
  const multicast = inPrefix(bdds, destination, 'ff00::/8');
  const joined = ladder.take(joinedGroups(bdds, topology, destination, input));
  refused.push(['a group that nobody joined', ladder.take(multicast)]);
  const linkLocal = inPrefix(bdds, destination, 'fe80::/10');
  const elsewhere = bdds.and(linkLocal, isLocal(bdds, topology, destination, 6, input) ^ 1);
  refused.push(['link-local of another link', ladder.take(elsewhere)]);
  const own = ladder.take(isLocal(bdds, topology, destination, 6));
  const anycast = topology.forwarding.ipv6
    ? ladder.take(bdds.any(subnetRouters(topology).map((range) => inRange(bdds, destination, range))))
    : never;
  const forwarded = forward(bdds, topology, packet, ladder, refused);
  return { local: bdds.any([joined, own, anycast]), forwarded, refused };
}

/** A router answers for the first address of each of its subnets (RFC 4291 section 2.6.1). */
function subnetRouters(topology: Topology) {
  return routesOf(topology, 6)
    .filter((route) => route.length < 127 && route.device.hardware !== 772)
    .filter((route) => topology.routes.every(({ prefix }) => !prefix.endsWith(`/${route.length}`)))
    .map(({ first }) => ({ first, last: first }));
}

function joinedGroups(bdds: Bdds, topology: Topology, destination: Bits, input: Device): Bdd {
  const solicited = localRanges(topology, 6)
    .filter(({ device }) => device === input)
    .map(({ first }) => {
      const group = 0xff02_0000_0000_0000_0000_0001_ff00_0000n | (first & 0xff_ffffn);
      return inRange(bdds, destination, { first: group, last: group });
    });
  const routers = topology.forwarding.ipv6 ? ['ff02::2', 'ff05::2'] : [];
  const groups = ['ff02::1', ...routers].map((text) => isAddress(bdds, destination, text));
  return bdds.any([...groups, ...solicited]);
}

/** What ipv6_rcv refuses before any hook. */
export function refusedByIpv6(bdds: Bdds, packet: Packet): Bdd {
  const source = addressBits(packet, 'source');
  const destination = addressBits(packet, 'destination');
  return bdds.any([
    isAddress(bdds, source, '::1'),
    isAddress(bdds, destination, '::1'),
    inPrefix(bdds, source, 'ff00::/8'),
    inPrefix(bdds, destination, 'ff00::/16'),
    inPrefix(bdds, destination, 'ff01::/16'),
  ]);
}

/** The device by which a packet of this host leaves. */
export function routeOutput(bdds: Bdds, topology: Topology, packet: Packet): [Device, Bdd][] {
  const family = packet.family === 4 ? 4 : 6;
  const destination = addressBits(packet, 'destination');
  const ladder = new Ladder(bdds);
  const byDevice = new Map<Device, Bdd>();
  const add = (device: Device, when: Bdd) =>
    byDevice.set(device, bdds.or(byDevice.get(device) ?? never, ladder.take(when)));
  const loopback = topology.devices.find((device) => device.hardware === 772);
  if (loopback !== undefined) add(loopback, isLocal(bdds, topology, destination, family));
  for (const route of routesOf(topology, family)) add(route.device, inRange(bdds, destination, route));
  return [...byDevice];
}
