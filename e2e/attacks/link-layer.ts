/**
 * Frames that no honest guest sends: tags, other MACs, ARP claims, group frames, other EtherTypes
 * (F4.source, F4.state).
 */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import {
  type Arp,
  arp,
  broadcastMac,
  ethernet,
  etherTypes,
  type Link,
  snap,
  type Tag,
} from '#kvm-lab/frames/link.ts';
import { dnsMessage } from '#kvm-lab/frames/transport.ts';
import { listenerPorts, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagramPacket, gateway, on4, own, synPacket, tapLink, uplink } from './guest-frames.ts';

const source =
  'findings.md F4, invariant 1: untagged IPv4 from the guest’s address and MAC, or ARP binding that pair';
const base = { control: 'arp', source } as const;
const spoofed = '10.200.0.0';
const otherMac = '02:00:00:00:0a:99';

/** To the control port by TCP and to the API port by UDP. */
function both(stage: Stage, from: string): Buffer[] {
  const fromPort = stage.port();
  return [
    synPacket({ from, to: uplink.ipv4, fromPort, toPort: listenerPorts.control }),
    datagramPacket({ from, to: uplink.ipv4, fromPort, toPort: listenerPorts.api }),
  ];
}

interface Tagged {
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly from: string;
  readonly expected: Attack['expected'];
}

const { vlan, qinq } = etherTypes;
const tagged: readonly Tagged[] = [
  { name: 'vlan-5', tags: [{ type: vlan, vlan: 5 }], from: spoofed, expected: cells.closed },
  { name: 'vlan-0', tags: [{ type: vlan, vlan: 0 }], from: spoofed, expected: cells.residual },
  { name: 'vlan-0-own', tags: [{ type: vlan, vlan: 0 }], from: own, expected: cells.fixed },
  { name: 'priority-7', tags: [{ type: vlan, vlan: 0xe000 }], from: spoofed, expected: cells.residual },
  {
    name: 'qinq',
    tags: [
      { type: qinq, vlan: 5 },
      { type: vlan, vlan: 6 },
    ],
    from: spoofed,
    expected: cells.closed,
  },
  {
    name: 'qinq-0',
    tags: [
      { type: qinq, vlan: 0 },
      { type: vlan, vlan: 0 },
    ],
    from: spoofed,
    expected: cells.residual,
  },
];

/** The resolver is asked as it may be, in a frame as it may not be. */
const question = (stage: Stage, link: Link) =>
  on4(
    datagramPacket(
      { from: own, to: gateway, fromPort: stage.port(), toPort: 53 },
      dnsMessage(3, 'host.example', null),
    ),
    link,
  );

const links: readonly { name: string; link: Link; what: string; expected: Attack['expected'] }[] = [
  {
    name: 'other-mac',
    link: { ...tapLink, from: otherMac },
    what: 'from another MAC',
    expected: cells.residual,
  },
  {
    name: 'tap-mac',
    link: { ...tapLink, from: tapLink.to },
    what: 'from the tap’s own MAC',
    expected: cells.residual,
  },
  {
    name: 'group-source',
    link: { ...tapLink, from: '01:00:5e:00:00:01' },
    what: 'from a group’s MAC',
    expected: cells.residual,
  },
  {
    name: 'broadcast-frame',
    link: { ...tapLink, to: broadcastMac },
    what: 'to everybody',
    expected: cells.residual,
  },
  {
    name: 'group-frame',
    link: { ...tapLink, to: '01:00:5e:00:00:01' },
    what: 'to a group',
    expected: cells.residual,
  },
  {
    name: 'others-frame',
    link: { ...tapLink, to: otherMac },
    what: 'to somebody else',
    expected: cells.closed,
  },
];

const claim = (what: Arp, link: Link = { ...tapLink, to: broadcastMac }) =>
  ethernet(link, etherTypes.arp, arp(what));
const guestMac = tapLink.from;

interface Claim {
  readonly name: string;
  readonly what: string;
  readonly frames: readonly Buffer[];
  readonly expected: Attack['expected'];
}

const claims: readonly Claim[] = [
  {
    name: 'gateway',
    what: 'the gateway’s and resolver’s address',
    frames: [
      claim({ operation: 1, senderMac: guestMac, senderAddress: gateway, targetAddress: gateway }),
      claim({
        operation: 2,
        senderMac: guestMac,
        senderAddress: gateway,
        targetMac: tapLink.to,
        targetAddress: gateway,
      }),
    ],
    expected: cells.closed,
  },
  {
    name: 'router',
    what: 'the address of the pod’s router',
    frames: [
      claim({ operation: 1, senderMac: guestMac, senderAddress: router.ipv4, targetAddress: gateway }),
    ],
    expected: cells.residual,
  },
  {
    name: 'uplink',
    what: 'the pod’s address on the uplink',
    frames: [
      claim({ operation: 1, senderMac: guestMac, senderAddress: uplink.ipv4, targetAddress: gateway }),
    ],
    expected: cells.closed,
  },
  {
    name: 'sibling',
    what: 'the address of a sibling',
    frames: [
      claim({ operation: 1, senderMac: guestMac, senderAddress: '10.200.0.6', targetAddress: gateway }),
    ],
    expected: cells.residual,
  },
  {
    name: 'own-at-other-mac',
    what: 'its own address at another MAC',
    frames: [
      claim({ operation: 1, senderMac: otherMac, senderAddress: own, targetAddress: gateway }),
      claim({
        operation: 2,
        senderMac: otherMac,
        senderAddress: own,
        targetMac: tapLink.to,
        targetAddress: gateway,
      }),
    ],
    expected: cells.residual,
  },
  {
    name: 'ask-for-uplink',
    what: 'nothing, but asks for the uplink’s address',
    frames: [claim({ operation: 1, senderMac: guestMac, senderAddress: own, targetAddress: uplink.ipv4 })],
    expected: cells.residual,
  },
  {
    name: 'probe',
    what: 'nothing (sender 0.0.0.0), but probes for the gateway’s address',
    frames: [claim({ operation: 1, senderMac: guestMac, senderAddress: '0.0.0.0', targetAddress: gateway })],
    expected: cells.residual,
  },
];

const strange = [
  etherTypes.rarp,
  etherTypes.lldp,
  etherTypes.eapol,
  etherTypes.pppoe,
  etherTypes.mpls,
  0x9000,
  0x0806,
];

export const attacks: readonly Attack[] = [
  ...tagged.map(
    ({ name, tags, from, expected }): Attack => ({
      ...base,
      id: `link-layer.${name}`,
      claim: from === own ? 'F4.input' : 'F4.source',
      statement: `a frame with the tags of ${name} from ${from} never has an effect`,
      source:
        'IEEE 802.1Q clause 9.6: a priority tag names no VLAN; findings.md F4: negated matches are bypassed by tags',
      frames: (stage) => both(stage, from).map((packet) => ethernet(tapLink, etherTypes.ipv4, packet, tags)),
      shows: 'a listener notes it, or the pod answers',
      expected,
    }),
  ),
  ...links.map(
    ({ name, link, what, expected }): Attack => ({
      ...base,
      id: `link-layer.${name}`,
      claim: 'F4.source',
      statement: `a frame ${what} never has an effect, even to the resolver`,
      frames: (stage) => [question(stage, link)],
      shows: 'the resolver answers',
      expected,
    }),
  ),
  ...claims.map(
    ({ name, what, frames, expected }): Attack => ({
      ...base,
      id: `link-layer.arp-${name}`,
      claim: 'F4.state',
      statement: `an ARP message that claims ${what} is never answered and changes no neighbour`,
      source: 'RFC 826; RFC 5227',
      frames: () => frames,
      shows: 'an ARP reply, or a neighbour',
      expected,
    }),
  ),
  {
    ...base,
    id: 'link-layer.ether-types',
    claim: 'F4.source',
    statement: 'frames of other EtherTypes, in 802.3 with SNAP, or cut short never have an effect',
    frames: (stage) => {
      const [packet = Buffer.alloc(0)] = both(stage, spoofed);
      return [
        ...strange.map((type) => ethernet(tapLink, type, packet)),
        snap(tapLink, etherTypes.ipv4, packet),
        ethernet(tapLink, etherTypes.ipv6, packet),
        ethernet(tapLink, etherTypes.ipv4, Buffer.alloc(0)),
        ethernet({ ...tapLink, to: '01:80:c2:00:00:00' }, 38, Buffer.alloc(38, 0x42)),
      ];
    },
    shows: 'anything',
    expected: cells.closed,
  },
  {
    ...base,
    id: 'link-layer.oversized',
    claim: 'F4.source',
    statement: 'a frame far beyond the MTU never has an effect',
    needs: 'frames beyond the MTU',
    frames: (stage) => [
      on4(
        datagramPacket(
          { from: spoofed, to: uplink.ipv4, fromPort: stage.port(), toPort: listenerPorts.api },
          Buffer.alloc(9_000),
        ),
      ),
      on4(ipv4({ from: spoofed, to: gateway }, protocols.icmp, Buffer.alloc(20_000, 8))),
    ],
    shows: 'a listener notes it, or the pod answers',
    expected: cells.residual,
  },
];
