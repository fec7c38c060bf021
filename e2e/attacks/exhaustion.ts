/** Many of everything: neighbours, flows, questions, frames (F4.state, F4.load). */
import { ipv4, ipv6, protocols } from '#kvm-lab/frames/internet.ts';
import { arp, broadcastMac, ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { address, mac, u32 } from '#kvm-lab/frames/octets.ts';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { dnsMessage, icmpv6, linkOption } from '#kvm-lab/frames/transport.ts';
import { sibling } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, datagramPacket, gateway, hosts, on4, on6, own, syn, tapLink } from './guest-frames.ts';

const neighbors = 400;
const flows = 2_000;
const load = 6_000;
/** More than the pod's range of masquerade ports. */
const datagrams = 4_600;
const lowPorts = 511;
const ntpPort = 123;
const noise = 3_000;
const siblingPort = 15_555;
/** Between two probes, so that the loop sees everything. */
const burst = 500;

const any4 = (stage: Stage) => `172.${16 + stage.random(16)}.${stage.random(256)}.${1 + stage.random(254)}`;
const times = (count: number, make: (index: number) => Buffer) =>
  Array.from({ length: count }, (_, index) => make(index));

const solicitation = (index: number) => {
  const ends = { from: `fe80::bad:${(index + 1).toString(16)}`, to: 'fe80::ff:fe00:a01', ttl: 255 };
  const rest = Buffer.concat([u32(0), address(ends.to), linkOption(1, mac(tapLink.from))]);
  return on6(ipv6(ends, protocols.icmpv6, icmpv6(ends, 135, 0, rest)));
};

async function flood(stage: Stage, count: number, make: (index: number) => Buffer): Promise<void> {
  for (let sent = 0; sent < count; sent += burst) {
    for (let index = sent; index < Math.min(count, sent + burst); index++) stage.guest.send(make(index));
    await stage.pause(1);
  }
}

/** Who is to be answered says first where it is. */
async function introduceSibling({ sibling: other }: Stage): Promise<void> {
  if (other === null) throw new Error('the attack asks for a sibling');
  const { ipv4: place, guestMac: senderMac } = other.place;
  const who = { operation: 1, senderMac, senderAddress: place.guest, targetAddress: place.gateway } as const;
  other.send(ethernet({ from: senderMac, to: broadcastMac }, etherTypes.arp, arp(who)));
}

/** The world's own host answers the flood first, one by one: that takes its time on a busy machine. */
const answerDeadlineMs = 4_000;
const againMs = 400;
const pollMs = 20;

/** What a sibling does not get any more: answers to datagrams, tried until the deadline. */
async function unserved(
  { pod, sibling: other, pause }: Stage,
  to: string,
  toPort: number,
  fromPort = siblingPort,
): Promise<string[]> {
  if (other === null) return ['there is no sibling'];
  const { ipv4: place, guestMac, tapMac } = other.place;
  const ends = { from: place.guest, to, fromPort, toPort };
  const question = datagramPacket(ends, dnsMessage(5, 'host.example', null));
  const begun = performance.now();
  for (let sent = 0; performance.now() - begun < answerDeadlineMs; await pause(pollMs)) {
    if (performance.now() - begun >= sent * againMs) {
      other.send(on4(question, { from: guestMac, to: tapMac }));
      sent += 1;
    }
    pod.drain();
    if (other.frames.some(({ outgoing, frame }) => !outgoing && readFrame(frame).toPort === fromPort))
      return [];
  }
  return [`a sibling’s datagrams to ${to}:${toPort} are not answered any more`];
}

/** What a driver gone mad would send: every ether type, sender and protocol. */
function randomFrame({ random }: Stage): Buffer {
  const anywhere = () => `${1 + random(223)}.${random(256)}.${random(256)}.${1 + random(254)}`;
  const junk = Buffer.from(times(4, () => u32(random(2 ** 31))).flatMap((part) => [...part]));
  const kinds = [
    () => ethernet(tapLink, 0x0600 + random(0xf000), junk),
    () =>
      ethernet(
        tapLink,
        etherTypes.arp,
        arp({ operation: 1, senderMac: tapLink.from, senderAddress: anywhere(), targetAddress: gateway }),
      ),
    () => on4(ipv4({ from: anywhere(), to: random(2) === 0 ? gateway : anywhere() }, random(256), junk)),
    () => on6(ipv6({ from: `fe80::${(1 + random(65_535)).toString(16)}`, to: 'ff02::1' }, random(256), junk)),
  ] as const;
  return (kinds[random(kinds.length)] ?? kinds[0])();
}

const toResolver = (stage: Stage, index: number) =>
  datagram(
    { from: own, to: gateway, fromPort: 1_024 + (index % 60_000), toPort: 53 },
    dnsMessage(stage.random(65_536), 'host.example', null),
  );

export const attacks: readonly Attack[] = [
  {
    id: 'exhaustion.arp-neighbors',
    claim: 'F4.state',
    statement: `ARP from ${neighbors} addresses never makes a neighbour`,
    source: 'findings.md F4, residual: neighbour-table floods; net.ipv4.neigh.default.gc_thresh3',
    control: 'arp',
    frames: (stage) =>
      times(neighbors, () =>
        ethernet(
          { ...tapLink, to: broadcastMac },
          etherTypes.arp,
          arp({ operation: 1, senderMac: tapLink.from, senderAddress: any4(stage), targetAddress: gateway }),
        ),
      ),
    shows: 'neighbours by the hundred',
    expected: cells.residual,
  },
  {
    id: 'exhaustion.nd-neighbors',
    claim: 'F4.state',
    statement: `solicitations from ${neighbors} link-local addresses never make a neighbour`,
    source: 'RFC 6583; findings.md F4, residual: neighbour-table floods',
    control: 'resolver',
    frames: () => times(neighbors, solicitation),
    shows: 'neighbours by the hundred',
    expected: cells.residual,
  },
  {
    id: 'exhaustion.flows',
    claim: 'F4.state',
    statement: `connections from ${flows} forged sources never make a flow`,
    source: 'findings.md F4, invariant 1: conntrack state; net.netfilter.nf_conntrack_max is of the node',
    control: 'allowed host',
    act: (stage) =>
      flood(stage, flows, () =>
        syn({ from: any4(stage), to: hosts.forbidden, fromPort: stage.port(), toPort: 443 }),
      ),
    shows: 'flows by the thousand',
    expected: cells.residual,
  },
  {
    id: 'exhaustion.denied-flows',
    claim: 'F4.state',
    statement: `${flows} connections to forbidden ports never make a flow`,
    source: 'findings.md F4, invariant 1: conntrack state',
    control: 'allowed host',
    act: (stage) =>
      flood(stage, flows, (index) =>
        syn({ from: own, to: hosts.forbidden, fromPort: 1_024 + index, toPort: 1 + index }),
      ),
    shows: 'flows by the thousand',
    expected: cells.closed,
  },
  {
    id: 'exhaustion.questions',
    claim: 'F4.load',
    sibling: true,
    statement: `${load} questions in a burst leave probes and a sibling’s resolver working`,
    source: 'claims.md, F4.load',
    control: 'resolver',
    act: (stage) => flood(stage, load, (index) => toResolver(stage, index)),
    prepare: introduceSibling,
    explains: ({ fromPort }) => fromPort === 53,
    also: (stage) => unserved(stage, sibling.ipv4.resolver, 53),
    shows: 'a probe fails, or a sibling’s question has no answer',
    expected: cells.closed,
    falsifiedBy: ['flows-bounded-together'],
  },
  {
    id: 'exhaustion.connections',
    claim: 'F4.load',
    sibling: true,
    statement: `${flows} half-open connections to the allowed host leave probes working`,
    source: 'claims.md, F4.load; RFC 4987',
    control: 'resolver',
    act: (stage) =>
      flood(stage, flows, (index) =>
        syn({ from: own, to: hosts.allowed, fromPort: 1_024 + index, toPort: 443 }),
      ),
    explains: ({ from, to, fromPort }) => from === hosts.allowed || to === hosts.allowed || fromPort === 53,
    explainsFlow: (line) => line.includes(`src=${own} dst=${hosts.allowed} `),
    explainsReached: ({ peer }) => peer.address === own,
    prepare: introduceSibling,
    also: (stage) => unserved(stage, sibling.ipv4.resolver, 53),
    shows: 'a probe fails, or a sibling’s question has no answer',
    expected: cells.closed,
    falsifiedBy: ['flows-bounded-together'],
  },
  {
    id: 'exhaustion.translated-ports',
    claim: 'F4.load',
    sibling: true,
    statement: `${datagrams} datagrams from as many ports leave a sibling’s way to the same host open`,
    source: 'claims.md, F4.load; RFC 5508 section 2: translated ports are few, and shared',
    control: 'resolver',
    prepare: introduceSibling,
    act: (stage) =>
      flood(stage, datagrams, (index) =>
        datagram({ from: own, to: hosts.allowed, fromPort: 1_024 + index, toPort: 443 }),
      ),
    explains: ({ from, to }) => from === hosts.allowed || to === hosts.allowed,
    explainsFlow: (line) => line.includes(`dst=${hosts.allowed} `),
    also: (stage) => unserved(stage, hosts.allowed, 443),
    // It has used up its own share.
    closesControl: true,
    shows: 'a sibling is not answered any more',
    // The published masquerade has sixteen times as many ports, but not below 512: exhaustion.low-ports.
    expected: cells.closed,
    falsifiedBy: ['flows-unbounded'],
  },
  {
    id: 'exhaustion.low-ports',
    claim: 'F4.load',
    sibling: true,
    statement: `datagrams from all ${lowPorts} ports below 512 leave open a sibling’s way from port ${ntpPort}, where NTP sends from`,
    source:
      'claims.md, F4.load; nf_nat_l4proto_unique_tuple: without a range, a port below 512 is translated to another of them',
    control: 'resolver',
    prepare: introduceSibling,
    act: (stage) =>
      flood(stage, lowPorts, (index) =>
        datagram({ from: own, to: hosts.allowed, fromPort: 1 + index, toPort: 443 }),
      ),
    explains: ({ from, to }) => from === hosts.allowed || to === hosts.allowed,
    explainsFlow: (line) => line.includes(`dst=${hosts.allowed} `),
    also: (stage) => unserved(stage, hosts.allowed, 443, ntpPort),
    shows: 'a sibling is not answered any more',
    expected: cells.residual,
  },
  {
    id: 'exhaustion.random-frames',
    claim: 'F4.source',
    statement: `${noise} frames with anything in them change nothing and reach nobody`,
    source: 'findings.md F4, invariant 1',
    control: 'arp',
    act: (stage) => flood(stage, noise, () => randomFrame(stage)),
    shows: 'anything at all: an answer, a neighbour, a frame on the uplink',
    expected: cells.residual,
  },
];
