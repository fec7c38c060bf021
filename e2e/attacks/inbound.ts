/** From the uplink, the pod and a sibling to a guest: only replies may arrive (F4.inbound). */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { u32 } from '#kvm-lab/frames/octets.ts';
import { flags, icmp, tcp, udp } from '#kvm-lab/frames/transport.ts';
import { router, sibling } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, datagramPacket, hosts, on4, own, syn, synPacket, uplink } from './guest-frames.ts';

const base = { claim: 'F4.inbound', control: 'inbound reply' } as const;
const source = 'findings.md F4, residual: neighbours on the uplink reach the guest; invariant 5';
const fromNeighbor = (packet: Buffer) =>
  ethernet({ from: router.mac, to: uplink.mac }, etherTypes.ipv4, packet);

const fromOutside: readonly { name: string; what: string; packet: (stage: Stage) => Buffer }[] = [
  {
    name: 'neighbor-tcp',
    what: 'a connection of a neighbour',
    packet: (stage) => synPacket({ from: hosts.neighbor, to: own, fromPort: stage.port(), toPort: 22 }),
  },
  {
    name: 'neighbor-udp',
    what: 'a datagram of a neighbour',
    packet: (stage) =>
      datagramPacket({ from: hosts.neighbor, to: own, fromPort: stage.port(), toPort: 4_000 }),
  },
  {
    name: 'neighbor-echo',
    what: 'an echo request of a neighbour',
    packet: () => ipv4({ from: hosts.neighbor, to: own }, protocols.icmp, icmp(8, 0, u32(7))),
  },
  {
    name: 'controller',
    what: 'a connection of the controller',
    packet: (stage) => synPacket({ from: hosts.controller, to: own, fromPort: stage.port(), toPort: 9_443 }),
  },
  {
    name: 'reply-to-nothing',
    what: 'a segment of the allowed host that answers nothing',
    packet: (stage) => {
      const ends = { from: hosts.allowed, to: own, fromPort: 443, toPort: stage.port() };
      const segment = tcp(ends, {
        ...ends,
        sequence: 1,
        acknowledgement: 2,
        flags: flags.ack | flags.psh,
        data: Buffer.from('x'),
      });
      return ipv4(ends, protocols.tcp, segment);
    },
  },
  {
    name: 'error-about-nothing',
    what: 'an ICMP error about a flow that never was',
    packet: (stage) => {
      const ends = { from: own, to: hosts.forbidden };
      const quoted = ipv4(
        ends,
        protocols.udp,
        udp(ends, { fromPort: stage.port(), toPort: 443 }, Buffer.alloc(8)),
      );
      return ipv4(
        { from: router.ipv4, to: own },
        protocols.icmp,
        icmp(3, 1, Buffer.concat([u32(0), quoted])),
      );
    },
  },
  {
    name: 'fragment',
    what: 'a fragment without ports',
    packet: () =>
      ipv4({ from: hosts.neighbor, to: own }, protocols.udp, Buffer.alloc(64, 'x'), {
        id: 77,
        fragmentAt: 64,
      }),
  },
];

const other = sibling.ipv4.guest;

export const attacks: readonly Attack[] = [
  ...fromOutside.map(
    ({ name, what, packet }): Attack => ({
      ...base,
      id: `inbound.${name}`,
      statement: `${what} never reaches the guest`,
      source,
      act: async (stage) => stage.pod.sendFromUplink(fromNeighbor(packet(stage))),
      shows: 'a frame at the tap',
      // An incomplete datagram is gathered before it is forwarded; it never is whole.
      expected: name === 'fragment' ? cells.closed : cells.residual,
    }),
  ),
  {
    ...base,
    id: 'inbound.pod',
    statement: 'a datagram of the pod’s own never reaches the guest',
    source: 'findings.md F4, invariant 5: only as the reply to a flow',
    act: async ({ pod }) => {
      pod.sendFromPod(Buffer.from('attack'), { address: own, port: 4_000 });
    },
    explainsFlow: (line) => line.startsWith(`udp src=${uplink.ipv4} dst=${own}`),
    shows: 'a frame at the tap',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'inbound.sibling',
    sibling: true,
    statement: 'a guest never reaches its sibling, from its own address',
    source: 'findings.md F4, residual: tap → tap crosses; invariant 5',
    frames: (stage) => [
      syn({ from: own, to: other, fromPort: stage.port(), toPort: 22 }),
      datagram({ from: own, to: other, fromPort: stage.port(), toPort: 4_000 }),
    ],
    shows: 'a frame at the sibling’s tap',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'inbound.sibling-spoofed',
    sibling: true,
    statement: 'a guest never reaches its sibling, from a forged address',
    source: 'findings.md F4, residual: tap → tap crosses; invariant 5',
    frames: (stage) => [
      syn({ from: '10.200.0.0', to: other, fromPort: stage.port(), toPort: 22 }),
      datagram({ from: hosts.allowed, to: other, fromPort: 443, toPort: stage.port() }),
    ],
    shows: 'a frame at the sibling’s tap',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'inbound.sibling-link',
    sibling: true,
    statement: 'a frame to a sibling’s MAC, or to everybody, never crosses to another tap',
    source: 'findings.md F4, invariant 5',
    frames: (stage) => {
      const packet = datagramPacket({ from: own, to: other, fromPort: stage.port(), toPort: 4_000 });
      const link = { from: '02:00:00:00:0a:02', to: sibling.guestMac };
      return [on4(packet, link), on4(packet, { ...link, to: 'ff:ff:ff:ff:ff:ff' })];
    },
    shows: 'a frame at the sibling’s tap',
    expected: cells.closed,
  },
];
