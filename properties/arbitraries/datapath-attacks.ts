/**
 * What a hostile guest, a neighbour or the pod itself sends, in a scene: first packets with whatever can be
 * forged, and packets that claim to belong to a flow that is there.
 */
import * as fc from 'fast-check';
import type { ArpPacket, Body, IpPacket, Link, Packet, Port } from '../models/datapath-packet.ts';
import {
  destinations,
  type FlowBeginning,
  forgedSources,
  localAddresses,
  nearPlaces,
  ofFamily,
} from './sandbox-addresses.ts';
import { neighbour, type Scene, unnamed, uplink } from './sandbox-scenes.ts';

export type Attack =
  | { readonly kind: 'first'; readonly packet: Packet; readonly state: 'new' | 'invalid' }
  | {
      readonly kind: 'later';
      readonly flow: FlowBeginning;
      readonly direction: 'original' | 'reply';
      /** An ICMP error of this type about the flow; null: a packet of it. */
      readonly error: number | null;
      /** Where it comes in; null: the pod sends it. */
      readonly port: Port | null;
    };

const listenerPorts = [53, 9091, 9443, 443, 80, 8443, 8080, 5353, 123, 22, 20_001, 65_535] as const;
/** Within the range of masquerade, so that they are kept. */
const ephemeral = 20_777;
const tcpFlags = [0x02, 0x10, 0x18, 0x12, 0x04, 0x01, 0x00, 0x3f] as const;
const broadcastMac: readonly number[] = [255, 255, 255, 255, 255, 255];
const sctp: Body = { kind: 'raw', protocol: 132 };
const strangerMac: readonly number[] = [2, 0, 0, 0, 9, 9];
const octets = (mac: string) => mac.split(':').map((octet) => Number.parseInt(octet, 16));
const of = <T>(...values: readonly T[]) => fc.constantFrom(...values);

export function honestLink(scene: Scene, at: 0 | 1): Link {
  const { tapMac, guestMac } = scene.sandboxes[at].network;
  return { to: octets(tapMac), from: octets(guestMac), tags: [] };
}

function anyLink(scene: Scene, at: 0 | 1): fc.Arbitrary<Link> {
  const honest = honestLink(scene, at);
  const tag = of(0, 5, 0xe000);
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(honest) },
    { weight: 1, arbitrary: of(honest.to, strangerMac, broadcastMac).map((from) => ({ ...honest, from })) },
    {
      weight: 1,
      arbitrary: of(broadcastMac, strangerMac, [1, 0, 94, 0, 0, 1]).map((to) => ({ ...honest, to })),
    },
    {
      weight: 1,
      arbitrary: fc.array(tag, { minLength: 1, maxLength: 2 }).map((tags) => ({ ...honest, tags })),
    },
  );
}

export function bodies(family: 4 | 6): fc.Arbitrary<Body> {
  const dport = of(...listenerPorts);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: dport.map((port) => ({ kind: 'tcp' as const, sport: ephemeral, dport: port, flags: 0x02 })),
    },
    { weight: 3, arbitrary: dport.map((port) => ({ kind: 'udp' as const, sport: ephemeral, dport: port })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(dport, of(...tcpFlags))
        .map(([port, flags]) => ({ kind: 'tcp' as const, sport: ephemeral, dport: port, flags })),
    },
    {
      weight: 2,
      arbitrary: of(...(family === 4 ? [8, 0, 3, 5, 11, 13, 17] : [128, 129, 1, 2, 3, 4])).map((type) => ({
        kind: 'icmp' as const,
        type,
        code: 0,
        id: 7,
      })),
    },
    {
      weight: 1,
      arbitrary: of(132, 2, 4, 41, 47, 50).map((protocol) => ({ kind: 'raw' as const, protocol })),
    },
  );
}

/** Beside its body, where it goes and what it says of itself. */
function ipPacket(
  source: fc.Arbitrary<string>,
  destination: fc.Arbitrary<string>,
  family: 4 | 6,
): fc.Arbitrary<IpPacket> {
  const odd = fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: of(0x2000, 0x0003, 0x2003).map((fragment) => ({
        fragment: family === 4 ? fragment : 0x0011,
      })),
    },
    { weight: 1, arbitrary: fc.constant({ options: true }) },
  );
  return fc
    .record({
      source,
      destination,
      body: bodies(family),
      hops: fc.oneof({ weight: 9, arbitrary: fc.constant(64) }, of(1, 255)),
      odd,
    })
    .map(({ odd: rest, ...packet }) => ({ kind: 'ip', ...packet, ...rest }));
}

export const families = (scene: Scene): fc.Arbitrary<4 | 6> =>
  scene.ipv6 ? of<4 | 6>(4, 6) : fc.oneof({ weight: 3, arbitrary: fc.constant<4>(4) }, fc.constant<6>(6));
const states = fc.oneof(
  { weight: 5, arbitrary: fc.constant<'new'>('new') },
  fc.constant<'invalid'>('invalid'),
);
export const guests = of<0 | 1>(0, 1);
export const tapOf = (at: 0 | 1): Port => (at === 0 ? 'tap0' : 'tap1');

/** conntrack takes such flags for no beginning. */
function stateOf({ content }: Packet, drawn: 'new' | 'invalid'): 'new' | 'invalid' {
  if (content.kind !== 'ip' || content.body.kind !== 'tcp') return drawn;
  return content.body.flags === 0x02 ? 'new' : [0x10, 0x18].includes(content.body.flags) ? drawn : 'invalid';
}

const first = (packets: fc.Arbitrary<Packet>): fc.Arbitrary<Attack> =>
  fc
    .tuple(packets, states)
    .map(([packet, state]) => ({ kind: 'first', packet, state: stateOf(packet, state) }));

/** From the guest's own IPv4 address and MAC, to addresses of the pod. */
export const ownToLocal = (scene: Scene): fc.Arbitrary<Attack> =>
  guests.chain((at) => {
    const { guest } = scene.sandboxes[at].network.ipv4;
    const content = ipPacket(fc.constant(guest), of(...localAddresses(scene, at, 4)), 4);
    return first(content.map((one) => ({ port: tapOf(at), link: honestLink(scene, at), content: one })));
  });

function ownAddress(scene: Scene, at: 0 | 1, family: 4 | 6): string {
  const { ipv4, ipv6 } = scene.sandboxes[at].network;
  return family === 4 ? ipv4.guest : (ipv6?.guest ?? 'fe80::2');
}

/** Anything forged: source, MAC, VLAN, family, fragment, options. */
export const forged = (scene: Scene): fc.Arbitrary<Attack> =>
  fc.tuple(guests, families(scene)).chain(([at, family]) => {
    const own = ownAddress(scene, at, family);
    const source = fc.oneof(
      { weight: 2, arbitrary: of(...forgedSources(scene, at, family)) },
      fc.constant(own),
    );
    const content = ipPacket(source, destinations(scene, at, family), family);
    const link = anyLink(scene, at);
    const tap = fc.record({ port: fc.constant(tapOf(at)), link, content });
    const elsewhere = content.map(
      (one): Packet => ({
        port: 'eth1',
        link: { to: unnamed.mac, from: strangerMac, tags: [] },
        content: one,
      }),
    );
    return first(fc.oneof({ weight: 9, arbitrary: tap }, elsewhere));
  });

/** From the guest's own address to anywhere; now and then, or every other time, from another one. */
export const outward = (scene: Scene, often = 1): fc.Arbitrary<Attack> =>
  fc.tuple(guests, families(scene)).chain(([at, family]) => {
    const own = fc.constant(ownAddress(scene, at, family));
    const other = of(...forgedSources(scene, at, family));
    const source = fc.oneof({ weight: 8, arbitrary: own }, { weight: often, arbitrary: other });
    const free = ipPacket(source, destinations(scene, at, family), family);
    const places = nearPlaces(scene, at).filter(({ destination }) => ofFamily(family)(destination));
    const near = fc
      .tuple(
        of(...(places.length === 0 ? [null] : places)),
        free,
        of('exact', 'exact', 'exact', 'exact', 'odd', 'sctp'),
      )
      .map(([place, packet, how]): IpPacket => {
        if (place === null) return packet;
        const { destination, port, protocol } = place;
        const to = { sport: ephemeral, dport: port };
        const body: Body = protocol === 'tcp' ? { kind: 'tcp', ...to, flags: 0x02 } : { kind: 'udp', ...to };
        return {
          kind: 'ip',
          source: packet.source,
          destination,
          hops: 64,
          body: how === 'exact' ? body : how === 'odd' ? packet.body : sctp,
        };
      });
    const link = fc.constant(honestLink(scene, at));
    const content = fc.oneof(free, near);
    return first(fc.record({ port: fc.constant(tapOf(at)), link, content }));
  });

/** The ARP that a guest may send, but for one field. */
function nearArp(scene: Scene, at: 0 | 1): fc.Arbitrary<ArpPacket> {
  const { guestMac, ipv4 } = scene.sandboxes[at].network;
  const honest = {
    kind: 'arp' as const,
    operation: 1,
    senderMac: octets(guestMac),
    sender: ipv4.guest,
    target: ipv4.gateway,
  };
  return of<Partial<ArpPacket>>(
    ...[{}, { senderMac: strangerMac }, { operation: 3 }, { operation: 8 }],
    ...[ipv4.gateway, uplink.ipv4, neighbour.ipv4].map((sender) => ({ sender })),
    ...[uplink.ipv4, neighbour.ipv4, ipv4.guest, ipv4.resolver].map((target) => ({ target })),
  ).map((change) => ({ ...honest, ...change }));
}

/** The neighbour solicitation that a guest may send, but for one field. */
function nearSolicitation(scene: Scene, at: 0 | 1): fc.Arbitrary<IpPacket> {
  const { guestMac, ipv6 } = scene.sandboxes[at].network;
  const asked = ipv6?.gateway ?? `fe80::${at + 1}`;
  const honest = { kind: 'nd' as const, type: 135, target: asked, mac: octets(guestMac) };
  const packet = { kind: 'ip' as const, source: ipv6?.guest ?? 'fe80::2', destination: asked, hops: 255 };
  const group = 'ff02::1:ff00:1';
  return of<IpPacket>(
    ...[{}, { destination: group }, { hops: 64 }, { source: '::' }, { source: 'fe80::2' }].map((change) => ({
      ...packet,
      ...change,
      body: honest,
    })),
    ...[{ mac: strangerMac }, { target: uplink.ipv6 }, { type: 136 }, { type: 134 }, { type: 137 }].map(
      (change) => ({
        ...packet,
        body: { ...honest, ...change },
      }),
    ),
  );
}

/** ARP, neighbour and router discovery, redirects, multicast listeners, ICMP errors. */
export const control = (scene: Scene): fc.Arbitrary<Attack> =>
  guests.chain((at) => {
    const { network } = scene.sandboxes[at];
    const macs = of<readonly number[]>(octets(network.guestMac), octets(network.tapMac), strangerMac);
    const four = [network.ipv4.guest, ...localAddresses(scene, at, 4), neighbour.ipv4];
    const arp = fc.record({
      kind: fc.constant<'arp'>('arp'),
      operation: of(1, 2, 3, 8),
      senderMac: macs,
      sender: of(...four),
      target: of(...four),
    }) satisfies fc.Arbitrary<ArpPacket>;
    const six = [ownAddress(scene, at, 6), ...localAddresses(scene, at, 6)];
    const body = fc.oneof(
      fc.record({
        kind: fc.constant<'nd'>('nd'),
        type: of(135, 136, 134, 137, 133, 130, 143),
        target: of(...six),
        mac: macs,
      }),
      bodies(6),
    );
    const source = of(ownAddress(scene, at, 6), ...forgedSources(scene, at, 6));
    const anyDiscovery = fc
      .record({ source, destination: of(...localAddresses(scene, at, 6)), hops: of(255, 64), body })
      .map((packet) => ({ kind: 'ip' as const, ...packet }));
    const icmp = fc
      .record({
        source: of(network.ipv4.guest, ...forgedSources(scene, at, 4)),
        destination: destinations(scene, at, 4),
        type: of(5, 3, 11, 12, 9, 4),
      })
      .map(({ type, ...packet }) => ({
        kind: 'ip' as const,
        ...packet,
        hops: 64,
        body: { kind: 'icmp' as const, type, code: 1, id: 1 },
      }));
    const discovery = fc.oneof(anyDiscovery, nearSolicitation(scene, at));
    const content = fc.oneof(arp, nearArp(scene, at), discovery, icmp);
    return first(fc.record({ port: fc.constant(tapOf(at)), link: anyLink(scene, at), content }));
  });

/** Flows that may be there: of a guest to where it may or might once send, of the pod, of a neighbour. */
export function beginnings(scene: Scene): fc.Arbitrary<FlowBeginning> {
  const guest = guests.chain((by) => {
    const { ipv4 } = scene.sandboxes[by].network;
    const resolver = { by, protocol: 'udp' as const, destination: ipv4.resolver, port: 53 };
    return of<FlowBeginning>(...nearPlaces(scene, by), resolver);
  });
  const pod = of<FlowBeginning>(
    { by: 'pod', protocol: 'udp', destination: '8.8.8.8', port: 53 },
    { by: 'pod', protocol: 'tcp', destination: neighbour.ipv4, port: 443 },
  );
  const dial = of(9443, 8080, 5353).map(
    (port): FlowBeginning => ({
      by: 'neighbour',
      protocol: port === 5353 ? 'udp' : 'tcp',
      destination: uplink.ipv4,
      port,
    }),
  );
  return fc.oneof({ weight: 3, arbitrary: guest }, pod, dial);
}

export const later = (scene: Scene, ports: readonly (Port | null)[]): fc.Arbitrary<Attack> =>
  fc.record({
    kind: fc.constant<'later'>('later'),
    flow: beginnings(scene),
    direction: of<'original' | 'reply'>('reply', 'original'),
    error: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, of(3, 5, 11)),
    port: of(...ports),
  });

const fromUplink: Link = { to: [...uplink.mac], from: [...neighbour.mac], tags: [] };

/** From the uplink, or from the pod, to guests and to opened ports. */
export const inward = (scene: Scene): fc.Arbitrary<Attack> =>
  fc.tuple(guests, families(scene)).chain(([at, family]) => {
    const { network, policy } = scene.sandboxes[at];
    const guest = family === 4 ? network.ipv4.guest : (network.ipv6?.guest ?? 'fe80::2');
    const opened = policy.inbound.flatMap(({ podPort, guestPort }) => [podPort, guestPort]);
    const source =
      family === 4
        ? of<string>(
            neighbour.ipv4,
            '10.1.2.3',
            '172.20.0.99',
            '8.8.8.8',
            scene.sandboxes[0].network.ipv4.guest,
          )
        : of<string>(neighbour.ipv6, '2001:4860:4860::8888');
    const body = fc.oneof(
      bodies(family),
      of(...(opened.length === 0 ? [80] : opened)).chain((dport) =>
        of<Body>(
          { kind: 'tcp', sport: ephemeral, dport, flags: 2 },
          { kind: 'udp', sport: ephemeral, dport },
        ),
      ),
    );
    const to = of(guest, ...(family === 4 ? [uplink.ipv4] : [uplink.ipv6]));
    const packet = (from: fc.Arbitrary<string>) =>
      fc.record({
        kind: fc.constant<'ip'>('ip'),
        source: from,
        destination: to,
        hops: fc.constant(64),
        body,
      });
    const podAddress = family === 4 ? of<string>(uplink.ipv4, network.ipv4.gateway) : of<string>(uplink.ipv6);
    return first(
      fc.oneof(
        packet(source).map((content): Packet => ({ port: 'eth0', link: fromUplink, content })),
        packet(podAddress).map((content): Packet => ({ port: null, link: fromUplink, content })),
      ),
    );
  });

/** The pod's own traffic: probes, the controller's dial, port-forward, what the pod asks itself. */
export const podTraffic = (scene: Scene): fc.Arbitrary<Attack> =>
  fc.tuple(families(scene), of<'in' | 'out'>('in', 'out'), bodies(4)).chain(([family, way, four]) => {
    const [own, other] = family === 4 ? [uplink.ipv4, neighbour.ipv4] : [uplink.ipv6, neighbour.ipv6];
    const outside =
      family === 4
        ? of<string>(other, '8.8.8.8', '10.96.0.1', '169.254.169.254')
        : of<string>(other, '2001:4860:4860::8888');
    const body = family === 4 ? fc.constant(four) : bodies(6);
    return first(
      fc
        .record({ far: way === 'out' ? fc.oneof(outside, of<string>(own)) : outside, body })
        .map(({ far, body: inner }): Packet => {
          const [source, destination] = way === 'in' ? [far, own] : [own, far];
          // From a port that masquerade would change.
          const from = 'sport' in inner ? { ...inner, sport: 40_777 } : inner;
          const content: IpPacket = { kind: 'ip', source, destination, hops: 64, body: from };
          return { port: way === 'in' ? 'eth0' : null, link: fromUplink, content };
        }),
    );
  });
