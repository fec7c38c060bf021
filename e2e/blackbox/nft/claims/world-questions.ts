/** F4.leave, F4.inbound, F4.pod: what crosses between guest, uplink and pod. */
import { type Bdd, type Bdds, never } from '#properties/oracles/bdd/bdd.ts';
import { lessBits, numberBits } from '#properties/oracles/bdd/bit-vector.ts';
import type { Packet } from '#properties/oracles/nft/evaluate/packet.ts';
import { equals } from '#properties/oracles/nft/prove/counterexample.ts';
import { deviceNamed } from '#properties/oracles/nft/topology.ts';
import { isDenied } from '../deny-lists.ts';
import { type Allowed, elsewhere, type GuestTap } from '../facts.ts';
import {
  addressIs,
  addressWithin,
  ended,
  familyOf,
  goesTo,
  inFlow,
  ownAddresses,
  withoutLength,
} from '../packet-conditions.ts';
import { ofIp, type Part, type Question } from '../part.ts';
import { type Asked, link } from './guest-questions.ts';
import { destination, port, readable, source } from './preferences.ts';

const noUplink = { reason: 'nobody said which device is the uplink', give: '--uplink DEVICE' } as const;
const noPolicy = {
  reason: 'nobody said what the guest may reach',
  give: '--allow PROTO:CIDR:PORT for each, --allow none, or --allow any for all but the deny lists',
} as const;

/** The guest begins something: no flow of conntrack's yet, or none that it knows. */
const begins: Question['of'] = (unknown, bdds) => inFlow(bdds, unknown) ^ 1;

function allowedBy(bdds: Bdds, packet: Packet, entries: readonly Allowed[]): Bdd {
  const there = ended(packet);
  return bdds.any(
    entries.map(({ protocol, prefix, ports }) => {
      const address = addressWithin(bdds, packet, there.destination, [prefix]);
      if (protocol !== 'any') return bdds.and(address, goesTo(bdds, there, protocol, ports));
      if (ports === null) return address;
      const either = (['tcp', 'udp'] as const).map((one) => goesTo(bdds, there, one, ports));
      return bdds.and(address, bdds.any(either));
    }),
  );
}

export function leaveParts(asked: Asked, tap: GuestTap): Part[] {
  const { facts } = asked;
  const { uplink, allow } = facts;
  if (uplink === undefined) {
    return [{ claim: 'F4.leave', name: 'uplink', never: `something leaves from ${tap.tap}`, ...noUplink }];
  }
  const guests = new Set([...facts.taps.map(({ device }) => device), uplink]);
  const ends = link(asked, tap);
  const leaves =
    (test: (bdds: Bdds, packet: Packet) => Bdd): Question['against'] =>
    ({ kind, device, packet }, _, bdds) =>
      kind === 'left' && device?.name === uplink ? test(bdds, packet) : never;
  const base = { claim: 'F4.leave', device: tap.device, shapes: ofIp, of: begins } as const;
  const explicit = allow === 'any' || allow === undefined ? [] : allow;
  const itself = [source(tap.guest)];
  const parts: Part[] = [
    {
      ...base,
      name: 'metadata',
      never: `a packet from ${tap.tap} leaves to a cloud's metadata or another address of the never list`,
      against: leaves((bdds, packet) => isDenied(bdds, packet.family, ended(packet).destination, 'never')),
      prefer: readable([itself, [destination('169.254.169.254')], [port(80)]], ends),
    },
    {
      ...base,
      shapes: ({ family, tags }) => family === familyOf(tap.guest) && tags === 0,
      name: 'guest source',
      never: `a packet leaves by ${uplink} with the source ${tap.guest}`,
      against: leaves((bdds, packet) => addressIs(bdds, packet, ended(packet).source, tap.guest)),
      prefer: readable([itself, [destination('1.1.1.1')]], ends),
    },
    {
      ...base,
      name: 'private',
      never: `a packet from ${tap.tap} leaves to a private range that no entry of --allow names`,
      against: leaves((bdds, packet) =>
        bdds.and(
          isDenied(bdds, packet.family, ended(packet).destination, 'private'),
          allowedBy(bdds, packet, explicit) ^ 1,
        ),
      ),
      prefer: readable([itself, [destination('10.96.0.1'), destination('192.168.0.1')], [port(443)]], ends),
    },
    {
      ...base,
      name: 'device',
      never: `a packet from ${tap.tap} leaves by another device than ${uplink}`,
      against: ({ kind, device, when }) =>
        kind === 'left' && !(device !== null && guests.has(device.name)) ? when : never,
      prefer: readable([itself], ends),
    },
  ];
  const head = { name: 'allowed', never: `a packet from ${tap.tap} leaves to what --allow does not name` };
  if (allow === undefined) return [...parts, { claim: 'F4.leave', ...head, ...noPolicy }];
  if (allow === 'any') return parts;
  const notAllowed = leaves((bdds, packet) => allowedBy(bdds, packet, allow) ^ 1);
  const prefer = readable([itself, [destination('1.1.1.1')], [port(443)]], ends);
  return [...parts, { ...base, ...head, against: notAllowed, prefer }];
}

export function inboundParts(asked: Asked, tap: GuestTap, ports: readonly string[]): Part[] {
  const { facts, topology } = asked;
  const reaches: Question['against'] = ({ kind, device, packet }, _, bdds) => {
    if (kind !== 'left' || device?.name !== tap.device) return never;
    const there = ended(packet);
    const explicit = facts.inbound.map(({ protocol, port: first }) =>
      goesTo(bdds, there, protocol, { first, last: first }),
    );
    return bdds.and(addressIs(bdds, packet, there.destination, tap.guest), bdds.any(explicit)) ^ 1;
  };
  const base = { claim: 'F4.inbound', shapes: ofIp, of: begins, against: reaches } as const;
  const towards = [destination(tap.guest)];
  const from = (device: string, name: string, sender: string, mac: readonly number[]): Question => ({
    ...base,
    name,
    never: `a packet from ${sender} reaches ${tap.tap} without being a reply or of --inbound`,
    device,
    prefer: readable([towards, [source('198.51.100.7')]], {
      from: mac,
      to: deviceNamed(topology, device).mac,
    }),
  });
  const world = [2, 0, 0, 0, 0, 0x77];
  const parts: Part[] = elsewhere(facts, topology, ports).map(({ name }) => from(name, name, name, world));
  for (const other of facts.taps) {
    if (other.tap === tap.tap) continue;
    if (other.device === tap.device) parts.push(sameBridge(other, tap));
    else parts.push(from(other.device, other.tap, `the guest on ${other.tap}`, link(asked, other).from));
  }
  const gateways = ownAddresses(topology, tap.device).map((text) => source(withoutLength(text)));
  const own: Question = {
    ...base,
    name: 'pod',
    never: `a packet of the pod's own reaches ${tap.tap} without being a reply or of --inbound`,
    device: null,
    prefer: readable([towards, gateways], null),
  };
  if (facts.uplink === undefined) {
    const never = `a packet from the uplink reaches ${tap.tap}`;
    parts.unshift({ claim: 'F4.inbound', name: 'uplink', never, ...noUplink });
  }
  return [...parts, own];
}

function sameBridge(from: GuestTap, to: GuestTap): Part {
  return {
    claim: 'F4.inbound',
    name: from.tap,
    never: `a frame from ${from.tap} reaches ${to.tap}`,
    reason: `the bridge ${to.device} carries it, and no chain that is read here sees it`,
    give: 'a look at bridge-family chains and at isolated ports: bridge -d link',
  };
}

/** Sources that the kernel itself takes for forged, whatever the ruleset says. */
const impossible = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/127',
  'ff00::/8',
  'fe80::/10',
];

export function podParts(asked: Asked): Part[] {
  const { facts, topology } = asked;
  const { uplink } = facts;
  if (uplink === undefined) {
    const never = 'a packet between uplink and pod is dropped';
    return [{ claim: 'F4.pod', name: 'uplink', never, ...noUplink }];
  }
  const own = ownAddresses(topology, uplink).map(withoutLength);
  const everyOwn = topology.devices.flatMap(({ addresses }) => addresses);
  const guests = facts.taps.flatMap(({ device }) => ownAddresses(topology, device));
  const stopped: Question['against'] = ({ kind, when }) =>
    kind === 'dropped' || kind === 'queued' ? when : never;
  const foreign = [...guests, ...impossible, ...everyOwn.map(hostOf)];
  const plain: Question['of'] = (unknown, bdds) => {
    const { invalid, sourceNat, destinationNat } = unknown.connection;
    return bdds.all([invalid ^ 1, sourceNat ^ 1, destinationNat ^ 1, isWhole(unknown, bdds)]);
  };
  const { mac } = deviceNamed(topology, uplink);
  const base = { claim: 'F4.pod', shapes: ofIp, against: stopped } as const;
  return [
    {
      ...base,
      name: 'in',
      never: `a packet that came by ${uplink} for the pod's own address is dropped`,
      device: uplink,
      of: (unknown, bdds) =>
        bdds.all([
          plain(unknown, bdds),
          bdds.any(own.map((text) => addressIs(bdds, unknown.shape, unknown.destination, text))),
          addressWithin(bdds, unknown.shape, unknown.source, foreign) ^ 1,
        ]),
      prefer: readable([[source('198.51.100.7')]], { from: [2, 0, 0, 0, 0, 0x77], to: mac }),
    },
    {
      ...base,
      name: 'out',
      never: `a packet of the pod's own that leaves by ${uplink} is dropped`,
      device: null,
      of: (unknown, bdds) =>
        bdds.and(
          plain(unknown, bdds),
          bdds.any(own.map((text) => addressIs(bdds, unknown.shape, unknown.source, text))),
        ),
      against: ({ kind, device, when, hook }) =>
        (kind === 'dropped' || kind === 'queued') && hook !== 'input' && device?.name === uplink
          ? when
          : never,
      prefer: readable([[destination('1.1.1.1')]], null),
    },
  ];
}

/** In one piece, with a whole header of TCP, UDP or ICMP: xtables matches drop any other. */
function isWhole({ parts, protocol }: Parameters<Question['of']>[0], bdds: Bdds): Bdd {
  const least = [
    [6, 20],
    [17, 8],
    [1, 8],
    [58, 8],
  ] as const;
  const long = least.map(([number, bytes]) =>
    bdds.or(
      equals(bdds, protocol, number) ^ 1,
      lessBits(bdds, parts.transportLength, numberBits(bytes, 16)) ^ 1,
    ),
  );
  return bdds.all([parts.fragmented ^ 1, ...long]);
}

const hostOf = (text: string) => `${withoutLength(text)}/${text.includes(':') ? 128 : 32}`;
