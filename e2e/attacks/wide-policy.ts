/** Policies that allow nearly everything: what no policy opens (F4.input, F4.leave, F4.inbound). */
import { hosts, listenerPorts, sibling } from '#kvm-lab/providers/topology.ts';
import type { PolicyOrder } from '#properties/subjects/datapath-protocol.ts';
import { type Attack, cells } from './attack.ts';
import { datagram, own, syn, uplink } from './guest-frames.ts';

const everything: PolicyOrder = { egress: 'allow', allow: [], inbound: [] };

const byCidr: PolicyOrder = {
  egress: 'deny',
  allow: [
    `tcp://${hosts.allowed}/32:443`,
    ...['tcp', 'udp'].flatMap((protocol) =>
      [80, 4_000, listenerPorts.control].map((port) => `${protocol}://0.0.0.0/0:${port}`),
    ),
  ],
  inbound: [],
};

const policies = { 'egress-allow': everything, cidr: byCidr } as const;

export const attacks: readonly Attack[] = Object.entries(policies).flatMap(([name, policy]): Attack[] => [
  {
    id: `wide-policy.${name}-listener`,
    claim: 'F4.input',
    statement: `a policy that allows everything (${name}) never opens a listener of the pod`,
    source: 'findings.md F4, invariant 2: if its destination is local, it is the resolver on port 53',
    control: 'allowed host',
    policy,
    frames: (stage) => {
      const ends = { from: own, to: uplink.ipv4, fromPort: stage.port(), toPort: listenerPorts.control };
      return [syn(ends), datagram(ends)];
    },
    shows: 'the listener notes the guest',
    expected: cells.fixed,
  },
  {
    id: `wide-policy.${name}-metadata`,
    claim: 'F4.leave',
    statement: `a policy that allows everything (${name}) never opens the metadata service`,
    source: 'findings.md F4, invariant 3: never a deny-listed one; F1: never beats everything',
    control: 'allowed host',
    policy,
    frames: (stage) => [syn({ from: own, to: hosts.metadata, fromPort: stage.port(), toPort: 80 })],
    shows: 'a packet on the uplink',
    expected: cells.closed,
  },
  {
    id: `wide-policy.${name}-sibling`,
    claim: 'F4.inbound',
    sibling: true,
    statement: `a policy that allows everything (${name}) never opens a sibling`,
    source: 'findings.md F4, residual: tap → tap crosses; invariant 5',
    control: 'allowed host',
    policy,
    frames: (stage) => {
      const ends = { from: own, to: sibling.ipv4.guest, fromPort: stage.port(), toPort: 4_000 };
      return [syn(ends), datagram(ends)];
    },
    shows: 'a frame at the sibling’s tap',
    expected: cells.residual,
  },
]);
