/**
 * Protocols other than TCP and UDP, out and to the pod, from the guest's own and from a forged source
 * (F4.leave, F4.source).
 */
import { ipv4, ipv6, protocols } from '#kvm-lab/frames/internet.ts';
import { etherTypes } from '#kvm-lab/frames/link.ts';
import { esp, gre, sctpInit } from '#kvm-lab/frames/transport.ts';
import { listenerPorts } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells } from './attack.ts';
import { hosts, on4, own, synPacket, uplink } from './guest-frames.ts';

const inner = (port: number) =>
  synPacket({ from: hosts.controller, to: uplink.ipv4, fromPort: port, toPort: listenerPorts.control });
const inner6 = ipv6({ from: 'fe80::2', to: 'ff02::1' }, protocols.noNext, Buffer.alloc(0));

const payloads: Readonly<
  Record<string, { readonly number: number; readonly body: (port: number) => Buffer }>
> = {
  sctp: { number: protocols.sctp, body: (port) => sctpInit({ fromPort: port, toPort: 443 }) },
  gre: { number: protocols.gre, body: (port) => gre(etherTypes.ipv4, inner(port)) },
  esp: { number: protocols.esp, body: () => esp(0x1000, Buffer.alloc(32, 'x')) },
  ipip: { number: protocols.ipip, body: inner },
  'six-in-four': { number: protocols.sixInFour, body: () => inner6 },
  'udp-lite': {
    number: protocols.udpLite,
    body: (port) => Buffer.concat([Buffer.from([port >> 8, port & 255, 1, 187, 0, 8, 0, 0])]),
  },
  dccp: { number: protocols.dccp, body: () => Buffer.alloc(24) },
};

/** An unknown protocol is answered or passed by no filter of its own address: only the forged source is interesting. */
export const attacks: readonly Attack[] = Object.entries(payloads).flatMap(
  ([name, { number, body }]): Attack[] => [
    {
      id: `raw-protocols.${name}`,
      claim: 'F4.leave',
      statement: `${name} from the guest’s own address never leaves, not even to the allowed host`,
      source: 'findings.md F4, invariant 3: only (protocol, address, port) that are allowed',
      control: 'allowed host',
      frames: (stage) => [on4(ipv4({ from: own, to: hosts.allowed }, number, body(stage.port())))],
      shows: 'a packet on the uplink',
      expected: cells.closed,
    },
    {
      id: `raw-protocols.${name}-spoofed`,
      claim: 'F4.source',
      statement: `${name} from a forged source never has an effect`,
      source: 'findings.md F4, residual (any IPv4 source other than the guest address misses every rule)',
      control: 'resolver',
      frames: (stage) => {
        const packet = (to: string) => on4(ipv4({ from: '10.200.0.0', to }, number, body(stage.port())));
        return [packet(uplink.ipv4), packet(hosts.forbidden)];
      },
      shows: 'an answer from the pod, or a packet on the uplink',
      expected: cells.residual,
    },
  ],
);
