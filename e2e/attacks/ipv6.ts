/** IPv6 of a guest that has none: it has no verdict in the published rules (F4.source, F4.state). */
import { type Extension, fragmentBody, ipv6, padOptions, protocols } from '#kvm-lab/frames/internet.ts';
import { address, mac, u16, u32 } from '#kvm-lab/frames/octets.ts';
import { flags, icmpv6, linkOption, prefixOption, routeOption, tcp } from '#kvm-lab/frames/transport.ts';
import { hosts6, listenerPorts, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, echoRequest, groupMac, on6, syn, tapLink, uplink } from './guest-frames.ts';

/** What the kernel derives from the MACs (RFC 4291 appendix A). */
const tapLocal = 'fe80::ff:fe00:a01';
const guestLocal = 'fe80::ff:fe00:a02';
const allNodes = 'ff02::1';
const source = 'findings.md F4, residual: IPv6 from the guest has no verdict';
const base = { control: 'resolver', source } as const;

function message(from: string, to: string, type: number, rest: Buffer, hops = 255): Buffer {
  const packet = ipv6({ from, to, ttl: hops }, protocols.icmpv6, icmpv6({ from, to }, type, 0, rest));
  return on6(packet, to.startsWith('ff') ? { ...tapLink, to: groupMac(to) } : tapLink);
}

const solicitation = (from: string, to: string, target: string, own = from !== '::') =>
  message(
    from,
    to,
    135,
    Buffer.concat([u32(0), address(target), ...(own ? [linkOption(1, mac(tapLink.from))] : [])]),
  );

/** Router lifetime of half an hour, a prefix, a more specific route: RFC 4861 section 4.2. */
const advertisement = (from: string) =>
  message(
    from,
    allNodes,
    134,
    Buffer.concat([
      Buffer.from([64, 0x08]),
      u16(1_800),
      u32(0),
      u32(0),
      linkOption(1, mac(tapLink.from)),
      prefixOption('2001:db8:bad::', 64),
      routeOption('2600::', 16),
    ]),
  );

/** A SYN to the pod's control port behind a chain of extension headers. */
function chained(stage: Stage, chain: readonly Extension[]): Buffer {
  const ends = { from: guestLocal, to: tapLocal, fromPort: stage.port(), toPort: listenerPorts.control };
  const segment = tcp(ends, { ...ends, sequence: 1, flags: flags.syn });
  return on6(ipv6(ends, protocols.tcp, segment, chain));
}

const padded = (type: number): Extension => ({ type, body: padOptions });
const routing = (kind: number, left: number): Extension => ({
  type: protocols.routing,
  body: Buffer.concat([Buffer.from([2, kind, left]), u32(0), address(uplink.ipv6)]),
});

const listeners: readonly {
  name: string;
  from: string;
  to: string;
  what: string;
  expected: Attack['expected'];
}[] = [
  { name: 'link-local', from: guestLocal, to: tapLocal, what: 'link-local', expected: cells.residual },
  {
    name: 'link-local-to-uplink',
    from: guestLocal,
    to: uplink.ipv6,
    what: 'the uplink’s address',
    expected: cells.residual,
  },
  {
    name: 'unique-local',
    from: 'fd00:bad::2',
    to: uplink.ipv6,
    what: 'the uplink’s address, from a ULA',
    expected: cells.residual,
  },
  {
    name: 'global',
    from: '2001:db8::2',
    to: uplink.ipv6,
    what: 'the uplink’s address, from a global address',
    expected: cells.residual,
  },
  {
    name: 'mapped',
    from: '::ffff:10.200.0.2',
    to: '::ffff:10.244.1.10',
    what: 'an IPv4-mapped address',
    expected: cells.closed,
  },
  {
    name: 'loopback-source',
    from: '::1',
    to: uplink.ipv6,
    what: 'the uplink’s address, from loopback',
    expected: cells.closed,
  },
  { name: 'loopback', from: guestLocal, to: '::1', what: 'loopback', expected: cells.closed },
];

const chains: readonly { name: string; chain: readonly Extension[]; expected: Attack['expected'] }[] = [
  { name: 'hop-by-hop', chain: [padded(protocols.hopByHop)], expected: cells.residual },
  {
    name: 'destination-options',
    chain: [padded(protocols.destinationOptions), padded(protocols.destinationOptions)],
    expected: cells.residual,
  },
  { name: 'routing-header', chain: [routing(0, 1)], expected: cells.residual },
  {
    name: 'atomic-fragment',
    chain: [{ type: protocols.fragment, body: fragmentBody(0, false, 9) }],
    expected: cells.residual,
  },
];

export const attacks: readonly Attack[] = [
  ...listeners.map(
    ({ name, from, to, what, expected }): Attack => ({
      ...base,
      id: `ipv6.${name}`,
      claim: 'F4.source',
      statement: `a guest without IPv6 never reaches ${what}`,
      frames: (stage) => [
        syn({ from, to, fromPort: stage.port(), toPort: listenerPorts.control }),
        datagram({ from, to, fromPort: stage.port(), toPort: listenerPorts.api }),
      ],
      shows: 'the listener notes it, or the pod answers',
      expected,
    }),
  ),
  ...chains.map(
    ({ name, chain, expected }): Attack => ({
      ...base,
      id: `ipv6.${name}`,
      claim: 'F4.source',
      statement: `extension headers (${name}) never carry a SYN to a listener`,
      source: 'RFC 8200 section 4; RFC 7112',
      frames: (stage) => [chained(stage, chain)],
      shows: 'the listener notes it, or the pod answers',
      expected,
    }),
  ),
  {
    ...base,
    id: 'ipv6.echo-all-nodes',
    claim: 'F4.source',
    statement: 'an echo request to all nodes is never answered',
    frames: () => [message(guestLocal, allNodes, 128, u32(7)), echoRequest(guestLocal, tapLocal)],
    shows: 'an echo reply',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.solicitation',
    claim: 'F4.state',
    statement: 'a neighbour solicitation is never answered, and makes no neighbour',
    source: 'RFC 4861 section 7.2.3',
    frames: () => [
      solicitation(guestLocal, tapLocal, tapLocal),
      solicitation('fe80::bad', 'ff02::1:ff00:a01', tapLocal),
    ],
    shows: 'a neighbour advertisement, a neighbour',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.duplicate-address',
    claim: 'F4.source',
    statement: 'a probe for a duplicate of the pod’s address is never answered',
    source: 'RFC 4862 section 5.4',
    groupAnswersCount: ({ icmpType }) => icmpType === 136,
    frames: () => [solicitation('::', 'ff02::1:ff00:a01', tapLocal)],
    shows: 'a neighbour advertisement to all nodes',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.uplink-solicitation',
    claim: 'F4.source',
    statement: 'the uplink’s address is never told on the tap',
    source: 'RFC 4861 section 7.2.3',
    frames: () => [solicitation(guestLocal, uplink.ipv6, uplink.ipv6)],
    shows: 'a neighbour advertisement',
    // Something else shows on the way: the solicitation itself makes a flow, or a neighbour.
    expected: cells.closed,
  },
  {
    ...base,
    id: 'ipv6.router-advertisement',
    claim: 'F4.state',
    statement: 'a router advertisement never gives the pod a route or an address',
    source: 'RFC 4861 section 6.3.4; RFC 6104',
    frames: () => [advertisement(guestLocal)],
    shows: 'a default route by the tap, an address of the guest’s choice',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.router-advertisement-as-router',
    claim: 'F4.state',
    statement: 'a router advertisement under the real router’s address never changes a route',
    source: 'RFC 6104 section 3',
    frames: () => [advertisement('fe80::800:ff:fe00:1')],
    shows: 'a route by the tap',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.redirect',
    claim: 'F4.state',
    statement: 'a redirect never changes a route of the pod',
    source: 'RFC 4861 section 8.1',
    frames: () => [
      message(
        'fe80::800:ff:fe00:1',
        uplink.ipv6,
        137,
        Buffer.concat([u32(0), address(guestLocal), address(hosts6.forbidden)]),
      ),
    ],
    shows: 'a path exception',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'ipv6.packet-too-big',
    claim: 'F4.state',
    statement: 'a forged “packet too big” never changes a path MTU of the pod',
    source: 'RFC 8201 section 4; RFC 5927',
    frames: () => {
      const ends = { from: uplink.ipv6, to: hosts6.forbidden };
      const quoted = ipv6(ends, protocols.icmpv6, icmpv6(ends, 128, 0, u32(1)));
      return [message(guestLocal, uplink.ipv6, 2, Buffer.concat([u32(1_280), quoted]))];
    },
    shows: 'a path exception',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.mld-query',
    claim: 'F4.source',
    statement: 'a multicast listener query never makes the pod report its groups',
    source: 'RFC 3810 section 5.1',
    groupAnswersCount: ({ icmpType }) => icmpType === 131 || icmpType === 143,
    frames: () => {
      const query = Buffer.concat([u16(1), u16(0), address('::')]);
      const chain: Extension[] = [{ type: protocols.hopByHop, body: Buffer.from([0, 5, 2, 0, 0, 1, 0]) }];
      const ends = { from: guestLocal, to: allNodes, ttl: 1 };
      const packet = ipv6(ends, protocols.icmpv6, icmpv6(ends, 130, 0, query), chain);
      return [on6(packet, { ...tapLink, to: groupMac(allNodes) })];
    },
    shows: 'a report',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'ipv6.out',
    claim: 'F4.leave',
    statement: 'IPv6 of a guest without IPv6 never leaves by the uplink',
    control: 'allowed host',
    frames: (stage) => [
      syn({ from: 'fd00:bad::2', to: hosts6.forbidden, fromPort: stage.port(), toPort: 443 }),
      syn({ from: 'fd00:bad::2', to: hosts6.metadata, fromPort: stage.port(), toPort: 80 }),
      syn({ from: 'fd00:bad::2', to: router.ipv6, fromPort: stage.port(), toPort: 80 }),
    ],
    shows: 'a packet on the uplink',
    // The pod does not forward IPv6 (net.ipv6.conf.all.forwarding is 0).
    expected: cells.closed,
  },
];
