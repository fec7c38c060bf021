/** Every IPv4 source that a guest can forge, towards the pod's listeners (F4.source). */
import { listenerPorts } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells } from './attack.ts';
import { datagram, syn, uplink } from './guest-frames.ts';

interface Source {
  readonly name: string;
  readonly from: string;
  readonly why: string;
  readonly expected?: Attack['expected'];
}

/** The routing code refuses these sources itself (martians), whatever the rules say. */
const martian = { expected: cells.closed };

const list: readonly Source[] = [
  { name: 'network-address', from: '10.200.0.0', why: 'the network address of its /30' },
  { name: 'subnet-broadcast', from: '10.200.0.3', why: 'the broadcast address of its /30' },
  { name: 'gateway', from: '10.200.0.1', why: 'the pod’s own address on the tap', ...martian },
  { name: 'uplink', from: uplink.ipv4, why: 'the pod’s own address on the uplink', ...martian },
  { name: 'other-subnet', from: '192.0.2.77', why: 'an address of nobody' },
  { name: 'sibling', from: '10.200.0.6', why: 'the address of another guest' },
  { name: 'uplink-neighbor', from: '10.244.1.20', why: 'a neighbour of the pod' },
  { name: 'kubelet', from: '10.244.1.1', why: 'the node, whose probes are let in' },
  { name: 'metadata', from: '169.254.169.254', why: 'the metadata service' },
  { name: 'loopback', from: '127.0.0.1', why: 'loopback', ...martian },
  { name: 'loopback-net', from: '127.8.8.8', why: 'the loopback network', ...martian },
  { name: 'unspecified', from: '0.0.0.0', why: 'the unspecified address', ...martian },
  { name: 'this-network', from: '0.1.2.3', why: 'this network (RFC 1122)' },
  { name: 'multicast', from: '224.0.0.5', why: 'a group', ...martian },
  { name: 'reserved', from: '240.0.0.9', why: 'class E' },
  { name: 'limited-broadcast', from: '255.255.255.255', why: 'the limited broadcast address', ...martian },
];

export const attacks: readonly Attack[] = list.map(({ name, from, why, expected = cells.residual }) => ({
  id: `sources.${name}`,
  claim: 'F4.source',
  statement: `a packet from ${from}, ${why}, never has an effect`,
  source:
    'findings.md F4, residual (any IPv4 source other than the guest address misses every rule); RFC 2827',
  control: 'resolver',
  frames: (stage) => [
    syn({ from, to: uplink.ipv4, fromPort: stage.port(), toPort: listenerPorts.control }),
    datagram({ from, to: uplink.ipv4, fromPort: stage.port(), toPort: listenerPorts.api }),
  ],
  shows: 'a listener notes it, or the pod answers',
  expected,
}));
