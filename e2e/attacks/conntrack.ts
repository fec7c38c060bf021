/** What stands in the connection tracking table, or is made to look as if it did (F4.established). */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { u32 } from '#kvm-lab/frames/octets.ts';
import { dnsMessage, flags, icmp, tcp, udp } from '#kvm-lab/frames/transport.ts';
import { listenerPorts, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, gateway, hosts, on4, own, uplink } from './guest-frames.ts';

const base = {
  control: 'allowed host',
  claim: 'F4.established',
  source: 'findings.md F4, invariant 4',
} as const;

function segment(stage: Stage, from: string, to: string, bits: number, toPort = 443): Buffer {
  const ends = { from, to, fromPort: stage.port(), toPort };
  const more = { sequence: 77, acknowledgement: 99, flags: bits, data: Buffer.from('attack') };
  return on4(ipv4(ends, protocols.tcp, tcp(ends, { ...ends, ...more })));
}

const { ack, fin, psh, rst, syn } = flags;

/** An answer of the upstream server that it never sent. */
const forgedAnswer = ({ pod }: Stage, from: string) =>
  datagram(
    { from, to: uplink.ipv4, fromPort: 53, toPort: pod.upstream.port },
    dnsMessage(1, 'host.example', '192.0.2.66'),
  );

async function askUpstream({ pod, pause }: Stage): Promise<void> {
  pod.sendFromPod(dnsMessage(1, 'host.example', null), { address: hosts.dnsServer, port: 53 });
  await pause(30);
}

/** A neighbour's datagram to the pod's own UDP listener, as if it answered the guest's flow. */
const toListener = () => {
  const ends = { from: hosts.allowed, to: uplink.ipv4, fromPort: 443, toPort: listenerPorts.control };
  const packet = ipv4(ends, protocols.udp, udp(ends, ends, Buffer.from('for the pod')));
  return ethernet({ from: router.mac, to: uplink.mac }, etherTypes.ipv4, packet);
};

export const attacks: readonly Attack[] = [
  {
    ...base,
    id: 'conntrack.middle-to-forbidden',
    statement: 'a segment in the middle of no connection never leaves to a forbidden host',
    frames: (stage) => [
      segment(stage, own, hosts.forbidden, ack),
      segment(stage, own, hosts.forbidden, fin | ack),
    ],
    shows: 'a segment on the uplink, or a flow',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'conntrack.middle-spoofed',
    statement: 'a segment in the middle of no connection never leaves from a forged source',
    frames: (stage) => [segment(stage, '10.200.0.0', hosts.forbidden, ack)],
    shows: 'a segment on the uplink, or a flow',
    expected: cells.residual,
  },
  ...(
    [
      ['ack', ack],
      ['syn-ack', syn | ack],
      ['psh', psh | ack],
      ['rst', rst],
      ['null', 0],
      ['all', fin | syn | rst | psh | ack],
    ] as const
  ).map(
    ([name, bits]): Attack => ({
      ...base,
      id: `conntrack.begins-with-${name}`,
      statement: `a flow to the allowed host never begins with ${name}`,
      source: 'nf_conntrack_tcp_loose; findings.md F4, invariant 4: the first packet',
      frames: (stage) => [segment(stage, own, hosts.allowed, bits)],
      shows: 'a segment on the uplink, or a flow',
      expected: cells.residual,
    }),
  ),
  {
    ...base,
    id: 'conntrack.forged-upstream-answer',
    claim: 'F4.source',
    control: 'resolver',
    statement: 'a forged DNS answer never reaches the resolver’s upstream socket',
    source: 'findings.md F4, residual: forged DNS replies reach the resolver’s upstream socket; RFC 5452',
    prepare: askUpstream,
    frames: (stage) => [forgedAnswer(stage, hosts.dnsServer)],
    shows: 'the socket receives it',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'conntrack.own-to-upstream-socket',
    claim: 'F4.input',
    control: 'resolver',
    statement: 'a datagram from the guest’s own address never reaches the resolver’s upstream socket',
    prepare: askUpstream,
    frames: (stage) => [forgedAnswer(stage, own)],
    shows: 'the socket receives it, or the pod answers',
    expected: cells.fixed,
  },
  {
    ...base,
    id: 'conntrack.related-to-nothing',
    statement: 'an ICMP error about somebody else’s flow is never related',
    frames: (stage) => {
      const quoted = ipv4(
        { from: hosts.forbidden, to: own },
        protocols.udp,
        udp({ from: hosts.forbidden, to: own }, { fromPort: 443, toPort: stage.port() }, Buffer.alloc(8)),
      );
      const about = icmp(3, 3, Buffer.concat([u32(0), quoted]));
      return [
        on4(ipv4({ from: own, to: hosts.forbidden }, protocols.icmp, about)),
        on4(ipv4({ from: own, to: gateway }, protocols.icmp, about)),
      ];
    },
    shows: 'the error on the uplink',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'conntrack.port-of-a-listener',
    claim: 'F4.pod',
    statement: 'a guest that sends from a listener’s port never takes the listener’s packets',
    source: 'findings.md F4: masquerade to a port range clear of the listeners; invariant 6',
    act: async (stage) => {
      stage.guest.send(
        datagram({ from: own, to: hosts.allowed, fromPort: listenerPorts.control, toPort: 443 }),
      );
      await stage.pause(60);
      stage.pod.sendFromUplink(toListener());
    },
    explains: ({ to, toPort, fromPort, data }, seen) =>
      (seen === 'uplink' && to === hosts.allowed) ||
      (seen === 'tap' &&
        fromPort === 443 &&
        toPort === listenerPorts.control &&
        data.toString() === 'attack'),
    explainsFlow: (line) => line.includes(hosts.allowed),
    explainsReached: ({ text, listener }) => listener === 'control' && text === 'for the pod',
    also: ({ pod }) =>
      pod.reached.some(({ text }) => text === 'for the pod')
        ? []
        : ['the pod’s listener did not get its packet'],
    shows: 'the guest gets the packet, and the listener does not',
    expected: cells.residual,
  },
];
