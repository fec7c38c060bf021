/**
 * The engine raw-forkd: a guest and the listeners of its node (F4.engines). Where the datapath stands in the node's own
 * namespace, the pod of the lab is that node; in a namespace of its own the node is the router beyond the uplink.
 */
import { listenerPorts, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, echoRequest, gateway, own, syn, uplink } from './guest-frames.ts';

const ports = Object.values(listenerPorts);
/** Of the node, wherever it is: the tap's own, its uplink's, the router's. */
const nodes = [gateway, uplink.ipv4, router.ipv4];
const nodes6 = ['fe80::ff:fe00:a01', uplink.ipv6, router.ipv6];

const eachPlace = (stage: Stage, from: string, to: readonly string[], make: typeof syn) =>
  to.flatMap((address) => ports.map((toPort) => make({ from, to: address, fromPort: stage.port(), toPort })));

function onNode(
  name: string,
  statement: string,
  source: string,
  frames: NonNullable<Attack['frames']>,
): Attack {
  return {
    id: `engines.${name}`,
    claim: 'F4.engines',
    engine: 'raw-forkd',
    statement,
    source,
    control: 'allowed host',
    frames,
    shows: 'a listener of the node notes the guest, an answer, a packet on the uplink',
    expected: cells.residual,
  };
}

const published =
  'findings.md F4, published: "husk path only (in the raw-forkd engine a guest still reaches the node’s own listeners)"';
const residual = 'findings.md F4, residual: “any IPv4 source other than the guest address misses every rule”';

export const attacks: readonly Attack[] = [
  onNode(
    'tcp',
    'from its own address the guest never connects to a listener of its node',
    published,
    (stage) => eachPlace(stage, own, nodes, syn),
  ),
  onNode(
    'udp',
    'from its own address the guest never reaches a UDP listener of its node',
    published,
    (stage) => eachPlace(stage, own, nodes, datagram),
  ),
  onNode('echo', 'the node’s kernel never answers the guest', published, () =>
    nodes.map((address) => echoRequest(own, address)),
  ),
  onNode(
    'network-address',
    'from the network address the guest never connects to a listener of its node',
    residual,
    (stage) => eachPlace(stage, '10.200.0.0', nodes, syn),
  ),
  onNode(
    'ipv6',
    'by IPv6 the guest never connects to a listener of its node',
    'findings.md F4, residual: IPv6 from the guest has no verdict',
    (stage) => eachPlace(stage, 'fe80::ff:fe00:a02', nodes6, syn),
  ),
];
