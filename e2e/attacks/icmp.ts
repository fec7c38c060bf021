/** ICMP and IGMP: errors that the kernel answers with, and messages that change what it knows (F4.source, F4.state). */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { address, u16, u32, withChecksum } from '#kvm-lab/frames/octets.ts';
import { icmp } from '#kvm-lab/frames/transport.ts';
import { listenerPorts, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import {
  datagramPacket,
  gateway,
  groupMac,
  hosts,
  on4,
  own,
  syn,
  synPacket,
  tapLink,
  uplink,
} from './guest-frames.ts';

const base = { control: 'resolver', claim: 'F4.source' } as const;

/** An ICMP error from `from` to the pod about a packet that the pod sent. */
function error(from: string, type: number, code: number, rest: Buffer, quoted: Buffer): Buffer {
  const message = icmp(type, code, Buffer.concat([rest, quoted.subarray(0, 28)]));
  return on4(ipv4({ from, to: uplink.ipv4 }, protocols.icmp, message));
}

/** What the resolver sent to its upstream. */
function upstreamPacket({ pod }: Stage): Buffer {
  return datagramPacket({ from: uplink.ipv4, to: hosts.dnsServer, fromPort: pod.upstream.port, toPort: 53 });
}

/** The pod speaks to its upstream first, so that there is something to lie about. */
async function askUpstream({ pod, pause }: Stage): Promise<void> {
  pod.sendFromPod(Buffer.from([0, 1, 0]), { address: hosts.dnsServer, port: 53 });
  await pause(30);
}

const forged = ['own', 'router'] as const;

const lies = forged.flatMap((who): Attack[] => {
  const from = who === 'own' ? own : router.ipv4;
  return [
    {
      id: `icmp.too-big-from-${who}`,
      claim: 'F4.state',
      control: 'resolver',
      statement: `a forged “fragmentation needed” from ${from} never changes a path MTU of the pod`,
      source: 'RFC 1191; RFC 5927 section 7',
      prepare: askUpstream,
      frames: (stage) => [error(from, 3, 4, Buffer.concat([u16(0), u16(576)]), upstreamPacket(stage))],
      shows: 'a path exception',
      expected: who === 'own' ? cells.fixed : cells.residual,
    },
    {
      id: `icmp.redirect-from-${who}`,
      claim: 'F4.state',
      control: 'resolver',
      statement: `a forged redirect from ${from} never changes a route of the pod`,
      source: 'RFC 792; RFC 1122 section 3.2.2.2',
      prepare: askUpstream,
      frames: (stage) => [error(from, 5, 1, address(own), upstreamPacket(stage))],
      shows: 'a route or path exception',
      // Redirects are not accepted where the pod forwards (accept_redirects, shared_media).
      expected: cells.closed,
    },
  ];
});

function ttl(name: string, from: string, to: string, hops: number, expected: Attack['expected']): Attack {
  return {
    ...base,
    id: `icmp.ttl-${name}`,
    statement: `a packet to ${to} that runs out of hops is never answered`,
    source: 'RFC 792, time exceeded; findings.md F4, residual: ICMP errors before any hook could drop',
    frames: (stage) => [on4(synPacket({ from, to, fromPort: stage.port(), toPort: 443 }, hops))],
    shows: 'time exceeded from the pod',
    expected,
  };
}

const igmpQuery = withChecksum(Buffer.concat([Buffer.from([0x11, 1, 0, 0]), u32(0)]), 2);

export const attacks: readonly Attack[] = [
  ...lies,
  ttl('one-to-forbidden', own, hosts.forbidden, 1, cells.residual),
  ttl('one-to-metadata', own, hosts.metadata, 1, cells.residual),
  ttl('zero-to-forbidden', own, hosts.forbidden, 0, cells.residual),
  ttl('one-spoofed', '10.200.0.0', hosts.forbidden, 1, cells.residual),
  {
    ...base,
    id: 'icmp.echo-spoofed',
    statement: 'an echo request from the network address is never answered',
    source: 'RFC 792',
    frames: () => {
      const packet = (to: string) =>
        on4(ipv4({ from: '10.200.0.0', to }, protocols.icmp, icmp(8, 0, u32(7))));
      return [packet(gateway), packet(uplink.ipv4)];
    },
    shows: 'an echo reply',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'icmp.timestamp',
    statement: 'a timestamp request from a forged source is never answered',
    source: 'RFC 792; RFC 6633',
    frames: () => [
      on4(ipv4({ from: '192.0.2.9', to: gateway }, protocols.icmp, icmp(13, 0, Buffer.alloc(16)))),
    ],
    shows: 'a timestamp reply',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'icmp.unknown-protocol',
    statement: 'a protocol that the pod does not speak is never answered',
    source: 'RFC 1122 section 3.2.2.1',
    frames: () => [on4(ipv4({ from: '10.200.0.0', to: gateway }, 200, Buffer.alloc(16)))],
    shows: 'protocol unreachable',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'icmp.closed-port-spoofed',
    statement: 'a closed port is never answered for to a forged source',
    source: 'RFC 1122 section 4.1.3.1',
    frames: (stage) => [
      on4(datagramPacket({ from: '10.200.0.0', to: gateway, fromPort: stage.port(), toPort: 9 })),
    ],
    shows: 'port unreachable',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'icmp.reset-of-a-dial',
    claim: 'F4.pod',
    statement: 'a forged error about the controller’s dial never touches it',
    source: 'RFC 5927',
    frames: (stage) => {
      const dialled = { from: uplink.ipv4, to: hosts.controller, fromPort: listenerPorts.control };
      const toPort = stage.pod.probed.at(-1)?.port ?? 1;
      return [error(own, 3, 3, u32(0), synPacket({ ...dialled, toPort }))];
    },
    shows: 'the dial fails',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'icmp.igmp-query',
    statement: 'an IGMP query never makes the pod report its groups',
    source: 'RFC 3376',
    groupAnswersCount: ({ protocol }) => protocol === protocols.igmp,
    frames: () => [
      on4(ipv4({ from: '192.0.2.9', to: '224.0.0.1', ttl: 1 }, protocols.igmp, igmpQuery), {
        ...tapLink,
        to: groupMac('224.0.0.1'),
      }),
    ],
    shows: 'a report, or a changed state',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'icmp.martian-then-listener',
    statement: 'a destination of class D or E in a unicast frame never has an effect',
    source: 'RFC 1812 section 5.3.7',
    frames: (stage) => [
      syn({ from: own, to: '240.0.0.1', fromPort: stage.port(), toPort: 443 }),
      syn({
        from: '10.200.0.0',
        to: '255.255.255.255',
        fromPort: stage.port(),
        toPort: listenerPorts.control,
      }),
      syn({ from: '10.200.0.0', to: '0.0.0.0', fromPort: stage.port(), toPort: listenerPorts.control }),
    ],
    shows: 'an answer, a packet on the uplink, or a flow',
    expected: cells.residual,
  },
];
