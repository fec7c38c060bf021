/** From its own address: what the published input chain was written for (F4.input). */
import { listenerPorts } from '#kvm-lab/providers/topology.ts';
import { type Attack, type Cell, cells } from './attack.ts';
import { datagram, echoRequest, gateway, own, syn, uplink } from './guest-frames.ts';

const source = 'findings.md F4, vulnerable; invariant 2';

function listener(
  name: string,
  protocol: 'tcp' | 'udp',
  to: string,
  toPort: number,
  expected = cells.fixed as Attack['expected'],
): Attack {
  return {
    id: `own-address.${name}`,
    claim: 'F4.input',
    statement: `from its own address the guest never reaches ${protocol} ${to}:${toPort} of the pod`,
    source,
    control: 'resolver',
    frames: (stage) => {
      const ends = { from: own, to, fromPort: stage.port(), toPort };
      return [protocol === 'tcp' ? syn(ends) : datagram(ends)];
    },
    shows: 'the listener notes the guest, or anything answers it',
    expected,
  };
}

const always = (reference: Cell, vulnerable: Cell, published: Cell) => ({ vulnerable, published, reference });

export const attacks: readonly Attack[] = [
  listener('control-at-uplink', 'tcp', uplink.ipv4, listenerPorts.control),
  listener('api-at-uplink', 'tcp', uplink.ipv4, listenerPorts.api),
  listener('control-at-gateway', 'tcp', gateway, listenerPorts.control),
  listener('api-at-gateway', 'tcp', gateway, listenerPorts.api),
  listener('control-udp-at-gateway', 'udp', gateway, listenerPorts.control),
  listener('api-udp-at-uplink', 'udp', uplink.ipv4, listenerPorts.api),
  listener('loopback', 'tcp', '127.0.0.1', listenerPorts.api, cells.closed),
  listener('siblings-gateway', 'tcp', '10.200.0.5', listenerPorts.control, always('holds', 'holds', 'holds')),
  listener('limited-broadcast', 'udp', '255.255.255.255', listenerPorts.control),
  listener('subnet-broadcast', 'udp', '10.200.0.3', listenerPorts.control),
  listener('closed-port', 'udp', gateway, 7),
  {
    id: 'own-address.echo',
    claim: 'F4.input',
    statement: 'the pod’s kernel never answers an echo request to an address of the pod',
    source: 'RFC 792; findings.md F4, invariant 2',
    control: 'resolver',
    frames: () => [echoRequest(own, gateway), echoRequest(own, uplink.ipv4)],
    shows: 'an echo reply',
    expected: cells.fixed,
  },
];
