/** Address types, as the local routing table gives them, and fib expressions on them. */

import { addressNumber, intervalOf } from '../../addresses/address-number.ts';
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, numberBits, withinBits } from '../../bdd/bit-vector.ts';
import type { Expression } from '../ruleset.ts';
import {
  broadcastRanges,
  type Device,
  type IpFamily,
  localRanges,
  type Range,
  routesOf,
  type Topology,
} from '../topology.ts';
import { addressBits } from './packet.ts';
import { hostOrder, type RuleRun } from './rule-run.ts';

type Fib = Extract<Expression, { readonly kind: 'fib' }>;

/** RTN_* of linux/rtnetlink.h. */
export const addressTypes = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
} as const;
export type AddressType = keyof typeof addressTypes;

export function inRange(bdds: Bdds, address: Bits, { first, last }: Range): Bdd {
  return withinBits(bdds, address, numberBits(first, address.length), numberBits(last, address.length));
}

export function inPrefix(bdds: Bdds, address: Bits, prefix: string): Bdd {
  return inRange(bdds, address, intervalOf(prefix));
}

export function isAddress(bdds: Bdds, address: Bits, text: string): Bdd {
  const { value } = addressNumber(text);
  return inRange(bdds, address, { first: value, last: value });
}

/** Held by any device, or by the one given. */
export function isLocal(
  bdds: Bdds,
  topology: Topology,
  address: Bits,
  family: IpFamily,
  device?: Device,
): Bdd {
  const ranges = localRanges(topology, family).filter((one) => device === undefined || one.device === device);
  return bdds.any(ranges.map((range) => inRange(bdds, address, range)));
}

export function isSubnetBroadcast(bdds: Bdds, topology: Topology, address: Bits, device?: Device): Bdd {
  const ranges = broadcastRanges(topology).filter((one) => device === undefined || one.device === device);
  return bdds.any(ranges.map((range) => inRange(bdds, address, range)));
}

/** inet_dev_addr_type: disjoint conditions; whatever has no entry is unicast. */
export function typesOf(
  bdds: Bdds,
  topology: Topology,
  address: Bits,
  family: IpFamily,
  device?: Device,
): [AddressType, Bdd][] {
  const ordered =
    family === 4 ? ipv4Types(bdds, topology, address, device) : ipv6Types(bdds, topology, address, device);
  const types: [AddressType, Bdd][] = [];
  let rest: Bdd = always;
  for (const [type, when] of ordered) {
    types.push([type, bdds.and(rest, when)]);
    rest = bdds.and(rest, when ^ 1);
  }
  return types;
}

function ipv4Types(bdds: Bdds, topology: Topology, address: Bits, device?: Device): [AddressType, Bdd][] {
  const wide = bdds.or(isAddress(bdds, address, '0.0.0.0'), isAddress(bdds, address, '255.255.255.255'));
  return [
    ['broadcast', wide],
    ['multicast', inPrefix(bdds, address, '224.0.0.0/4')],
    ['local', isLocal(bdds, topology, address, 4, device)],
    ['broadcast', isSubnetBroadcast(bdds, topology, address, device)],
    ['unicast', always],
  ];
}

function ipv6Types(bdds: Bdds, topology: Topology, address: Bits, device?: Device): [AddressType, Bdd][] {
  const routed = bdds.any(routesOf(topology, 6).map((range) => inRange(bdds, address, range)));
  return [
    ['multicast', inPrefix(bdds, address, 'ff00::/8')],
    ['local', isLocal(bdds, topology, address, 6, device)],
    ['unicast', routed],
    ['unreachable', always],
  ];
}

export function loadFib(run: RuleRun, { result, present, flags, to }: Fib): void {
  const { packet, hook, bdds } = run;
  const known = flags.every(
    (flag) => flag === 'saddr' || flag === 'daddr' || flag === 'iif' || flag === 'oif',
  );
  if (result !== 'type' || present || !known) {
    run.refuse(`fib ${flags.join(' . ')} ${result}${present ? ' exists' : ''}`);
  }
  const { family } = packet;
  if (family !== 4 && family !== 6) {
    run.require(never);
    return;
  }
  if (hook.point === 'ingress') run.refuse('fib at ingress');
  const device = flags.includes('iif') ? hook.input : flags.includes('oif') ? hook.output : null;
  const address = addressBits(packet, flags.includes('daddr') ? 'destination' : 'source');
  const types = typesOf(bdds, hook.topology, address, family, device ?? undefined);
  const bits: Bdd[] = new Array(32).fill(never);
  for (const [type, when] of types) {
    numberBits(addressTypes[type], 32).forEach((bit, i) => {
      if (bit === always) bits[i] = bdds.or(bits[i] as Bdd, when);
    });
  }
  run.store(to, hostOrder(bits));
}
