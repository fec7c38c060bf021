/**
 * Fragments, overlaps and IPv4 options: what a filter that reads one packet at a time may miss (F4.source,
 * F4.leave).
 */
import { type Ipv4Extras, ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { udp } from '#kvm-lab/frames/transport.ts';
import { listenerPorts } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, gateway, hosts, on4, own, synPacket, uplink } from './guest-frames.ts';

/** Cut at a multiple of 8 octets, first part first. */
function cut(
  ip: { from: string; to: string },
  protocol: number,
  payload: Buffer,
  at: number,
  id: number,
): Buffer[] {
  return [
    on4(ipv4(ip, protocol, payload.subarray(0, at), { id, moreFragments: true })),
    on4(ipv4(ip, protocol, payload.subarray(at), { id, fragmentAt: at })),
  ];
}

const tcpOf = (from: string, to: string, toPort: number, stage: Stage) =>
  synPacket({ from, to, fromPort: stage.port(), toPort }).subarray(20);

const common = { control: 'resolver', source: 'RFC 1858, RFC 3128; findings.md F4, invariant 1' } as const;

function withOption(
  name: string,
  what: string,
  options: readonly number[],
  expected: Attack['expected'],
): Attack {
  const extras: Ipv4Extras = { options: Buffer.from(options) };
  return {
    id: `fragments.option-${name}`,
    claim: 'F4.source',
    statement: `a packet with ${what} never has an effect`,
    source: 'RFC 791 section 3.1; RFC 7126',
    control: 'resolver',
    frames: (stage) => {
      const to = gateway;
      return [
        on4(ipv4({ from: own, to }, protocols.tcp, tcpOf(own, to, listenerPorts.control, stage), extras)),
        on4(
          ipv4(
            { from: own, to: hosts.forbidden },
            protocols.tcp,
            tcpOf(own, hosts.forbidden, 443, stage),
            extras,
          ),
        ),
      ];
    },
    shows: 'an answer, an ICMP error, or a packet on the uplink',
    expected,
  };
}

export const attacks: readonly Attack[] = [
  {
    ...common,
    id: 'fragments.tiny-syn',
    claim: 'F4.input',
    statement: 'a SYN whose ports come in a fragment of their own never reaches a listener',
    frames: (stage) =>
      cut(
        { from: own, to: uplink.ipv4 },
        protocols.tcp,
        tcpOf(own, uplink.ipv4, listenerPorts.control, stage),
        8,
        stage.random(60_000) + 1,
      ),
    shows: 'the listener notes the guest',
    expected: cells.fixed,
  },
  {
    ...common,
    id: 'fragments.spoofed-syn',
    claim: 'F4.source',
    statement: 'a fragmented SYN from the network address never reaches a listener',
    frames: (stage) =>
      cut(
        { from: '10.200.0.0', to: uplink.ipv4 },
        protocols.tcp,
        tcpOf('10.200.0.0', uplink.ipv4, listenerPorts.control, stage),
        8,
        stage.random(60_000) + 1,
      ),
    shows: 'the listener notes the guest',
    expected: cells.residual,
  },
  {
    ...common,
    id: 'fragments.overlap-to-resolver',
    claim: 'F4.input',
    statement: 'a fragment that writes another port over the resolver’s never reaches a listener',
    frames: (stage) => {
      const ends = { from: own, to: gateway, fromPort: stage.port() };
      const honest = udp(ends, { ...ends, toPort: 53 }, Buffer.alloc(24, 'a'));
      const evil = udp(ends, { ...ends, toPort: listenerPorts.control }, Buffer.alloc(24, 'a'));
      const id = stage.random(60_000) + 1;
      return [
        on4(ipv4(ends, protocols.udp, honest.subarray(0, 16), { id, moreFragments: true })),
        on4(ipv4(ends, protocols.udp, evil.subarray(0, 16), { id, moreFragments: true })),
        on4(ipv4(ends, protocols.udp, honest.subarray(16), { id, fragmentAt: 16 })),
      ];
    },
    explains: ({ fromPort, toPort }) => fromPort === 53 || toPort === 53,
    shows: 'the control listener notes the guest',
    expected: cells.closed,
  },
  {
    ...common,
    id: 'fragments.last-only',
    claim: 'F4.leave',
    control: 'allowed host',
    statement: 'a fragment that has no ports never leaves to a forbidden host',
    frames: (stage) => [
      on4(
        ipv4({ from: own, to: hosts.forbidden }, protocols.udp, Buffer.alloc(64, 'x'), {
          id: stage.random(60_000) + 1,
          fragmentAt: 64,
        }),
      ),
      on4(
        ipv4({ from: '10.200.0.0', to: hosts.forbidden }, protocols.udp, Buffer.alloc(64, 'x'), {
          id: stage.random(60_000) + 1,
          fragmentAt: 64,
        }),
      ),
    ],
    shows: 'a fragment on the uplink',
    // Connection tracking gathers fragments first: an incomplete packet goes nowhere in any of the three.
    expected: cells.closed,
  },
  {
    ...common,
    id: 'fragments.spoofed-datagram-out',
    claim: 'F4.leave',
    control: 'allowed host',
    statement: 'a fragmented datagram from a forged source never leaves',
    frames: (stage) => {
      const ends = { from: '10.200.0.0', to: hosts.forbidden, fromPort: stage.port(), toPort: 443 };
      return cut(ends, protocols.udp, udp(ends, ends, Buffer.alloc(64, 'x')), 16, stage.random(60_000) + 1);
    },
    shows: 'fragments on the uplink',
    expected: cells.residual,
  },
  {
    ...common,
    id: 'fragments.bad-checksum',
    claim: 'F4.source',
    statement: 'a header with a wrong checksum, a short length or version 5 never has an effect',
    frames: (stage) => {
      const bad = datagram({
        from: '10.200.0.0',
        to: uplink.ipv4,
        fromPort: stage.port(),
        toPort: listenerPorts.api,
      });
      const [sum, length, version] = [Buffer.from(bad), Buffer.from(bad), Buffer.from(bad)];
      sum.writeUInt16BE(sum.readUInt16BE(24) ^ 0x5555, 24);
      length.writeUInt16BE(1_400, 16);
      version.writeUInt8(0x55, 14);
      return [sum, length, version, bad.subarray(0, 24), bad.subarray(0, 14)];
    },
    shows: 'anything',
    expected: cells.closed,
  },
  withOption(
    'source-route',
    'a loose source route',
    [131, 11, 4, ...uplink.ipv4.split('.').map(Number), 8, 8, 8, 8],
    cells.closed,
  ),
  withOption('record-route', 'a record route option', [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0], cells.fixed),
  withOption('router-alert', 'a router alert', [148, 4, 0, 0], cells.fixed),
  withOption('malformed', 'an option that is longer than the header', [7, 200, 4, 0], cells.residual),
];
