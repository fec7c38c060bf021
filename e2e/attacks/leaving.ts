/** Out by the uplink: to what nobody allowed, and with sources that are not the guest's (F4.leave). */
import { type Attack, cells } from './attack.ts';
import { datagram, echoRequest, hosts, own, syn } from './guest-frames.ts';

interface Way {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly what: string;
  readonly expected: Attack['expected'];
}

const spoofed = '10.200.0.0';
const { closed, residual } = cells;

const ways: readonly Way[] = [
  {
    name: 'forbidden-host',
    from: own,
    to: hosts.forbidden,
    port: 443,
    protocol: 'tcp',
    what: 'a host that no policy names',
    expected: closed,
  },
  {
    name: 'wrong-port',
    from: own,
    to: hosts.allowed,
    port: 8080,
    protocol: 'tcp',
    what: 'another port of the allowed host',
    expected: closed,
  },
  {
    name: 'wrong-protocol',
    from: own,
    to: hosts.pinned,
    port: 443,
    protocol: 'udp',
    what: 'a protocol that was not pinned',
    expected: closed,
  },
  {
    name: 'metadata',
    from: own,
    to: hosts.metadata,
    port: 80,
    protocol: 'tcp',
    what: 'the metadata service',
    expected: closed,
  },
  {
    name: 'wire-server',
    from: own,
    to: hosts.wireServer,
    port: 80,
    protocol: 'tcp',
    what: 'Azure’s wire server',
    expected: closed,
  },
  {
    name: 'dns-server',
    from: own,
    to: hosts.dnsServer,
    port: 53,
    protocol: 'udp',
    what: 'a DNS server past the resolver',
    expected: closed,
  },
  {
    name: 'node',
    from: own,
    to: '10.244.1.1',
    port: 80,
    protocol: 'tcp',
    what: 'the node',
    expected: closed,
  },
  {
    name: 'spoofed-to-forbidden',
    from: spoofed,
    to: hosts.forbidden,
    port: 443,
    protocol: 'tcp',
    what: 'a host that no policy names, from the network address',
    expected: residual,
  },
  {
    name: 'spoofed-to-metadata',
    from: spoofed,
    to: hosts.metadata,
    port: 80,
    protocol: 'tcp',
    what: 'the metadata service, from the network address',
    expected: residual,
  },
  {
    name: 'spoofed-to-wire-server',
    from: spoofed,
    to: hosts.wireServer,
    port: 80,
    protocol: 'tcp',
    what: 'Azure’s wire server, from the network address',
    expected: residual,
  },
  {
    name: 'spoofed-to-alibaba',
    from: spoofed,
    to: hosts.alibabaMetadata,
    port: 80,
    protocol: 'tcp',
    what: 'Alibaba’s metadata service, from the network address',
    expected: residual,
  },
  {
    name: 'spoofed-to-neighbor',
    from: spoofed,
    to: hosts.neighbor,
    port: 80,
    protocol: 'tcp',
    what: 'a neighbour of the pod, from the network address',
    expected: residual,
  },
  {
    name: 'spoofed-to-dns-server',
    from: '198.51.100.9',
    to: hosts.dnsServer,
    port: 53,
    protocol: 'udp',
    what: 'a DNS server, from an address of nobody',
    expected: residual,
  },
  {
    name: 'spoofed-to-allowed',
    from: '10.200.0.6',
    to: hosts.allowed,
    port: 443,
    protocol: 'tcp',
    what: 'the allowed host, with a sibling’s source',
    expected: residual,
  },
];

export const attacks: readonly Attack[] = [
  ...ways.map(
    ({ name, from, to, port, protocol, what, expected }): Attack => ({
      id: `leaving.${name}`,
      claim: 'F4.leave',
      statement: `nothing leaves to ${what}`,
      source:
        'findings.md F4, residual: spoofed sources go out un-masqueraded, also to metadata; invariant 3',
      control: 'allowed host',
      frames: (stage) => {
        const ends = { from, to, fromPort: stage.port(), toPort: port };
        return [protocol === 'tcp' ? syn(ends) : datagram(ends)];
      },
      shows: 'a packet on the uplink',
      expected,
    }),
  ),
  {
    id: 'leaving.echo',
    claim: 'F4.leave',
    statement: 'an echo request to the allowed host never leaves: only TCP and UDP 443 are allowed',
    source: 'RFC 792; findings.md F4, invariant 3',
    control: 'allowed host',
    frames: () => [echoRequest(own, hosts.allowed)],
    shows: 'an echo request on the uplink',
    expected: closed,
  },
];
