/** What a policy change or an end should have closed (F4.converge, F4.established, F4.transition). */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { arp, broadcastMac, ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { flags, tcp, udp } from '#kvm-lab/frames/transport.ts';
import { guest, nothingAllowed, policy, router, uplink } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, gateway, hosts, on4, own, syn, tapLink } from './guest-frames.ts';

const base = { control: 'allowed host', closesControl: true } as const;
const ends = { from: own, to: hosts.allowed, fromPort: 15_001, toPort: 443 };
const begin = ends.fromPort * 1_000;

/** A connection to the allowed host, in full; where it stands then. */
async function connect(stage: Stage): Promise<{ sequence: number; acknowledgement: number }> {
  stage.guest.send(syn(ends));
  for (let tries = 0; tries < 100; tries++) {
    await stage.pause(10);
    const answer = stage.guest.frames
      .map(({ frame }) => readFrame(frame))
      .find(({ toPort, tcpFlags }) => toPort === ends.fromPort && tcpFlags === (flags.syn | flags.ack));
    if (answer === undefined) continue;
    const at = { sequence: begin + 1, acknowledgement: ((answer.sequence ?? 0) + 1) >>> 0 };
    stage.guest.send(on4(ipv4(ends, protocols.tcp, tcp(ends, { ...ends, ...at, flags: flags.ack }))));
    return at;
  }
  throw new Error('the allowed host did not answer before the policy changed');
}

/** The port that the former guest's flow was translated to, and what came of it. */
const former = new WeakMap<Stage, number>();
const arrived = new WeakMap<Stage, number>();
const formerPort = 15_003;

const places = new WeakMap<Stage, { sequence: number; acknowledgement: number }>();

export const attacks: readonly Attack[] = [
  {
    ...base,
    id: 'policy.narrowed-flow',
    claim: 'F4.established',
    statement: 'a connection that the new policy forbids never carries another octet',
    source: 'findings.md F4, invariant 7: flows q forbids are cut',
    prepare: async (stage) => {
      places.set(stage, await connect(stage));
      await stage.pod.datapath.change(guest.tap, nothingAllowed);
    },
    frames: (stage) => {
      const at = places.get(stage) ?? { sequence: begin, acknowledgement: 0 };
      const more = { ...at, flags: flags.ack | flags.psh, data: Buffer.from('attack') };
      return [on4(ipv4(ends, protocols.tcp, tcp(ends, { ...ends, ...more })))];
    },
    shows: 'the segment on the uplink, an answer',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'policy.narrowed-new-flow',
    claim: 'F4.converge',
    statement: 'after a narrower policy a new connection never leaves to what the old one allowed',
    source: 'findings.md F4, residual: re-applying a narrower policy leaves the wider accepts in front',
    prepare: async ({ pod }) => pod.datapath.change(guest.tap, nothingAllowed),
    frames: (stage) => [
      syn({ ...ends, fromPort: stage.port() }),
      datagram({ ...ends, fromPort: stage.port() }),
    ],
    shows: 'a connection',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'policy.narrowed-inbound',
    claim: 'F4.established',
    statement: 'the far end of a connection that the new policy forbids never reaches the guest',
    source: 'findings.md F4, invariants 5 and 7',
    prepare: async (stage) => {
      stage.guest.send(datagram({ ...ends, fromPort: 15_002 }));
      await stage.pause(50);
      await stage.pod.datapath.change(guest.tap, nothingAllowed);
    },
    frames: () => [datagram({ ...ends, fromPort: 15_002 })],
    shows: 'a datagram on the uplink, its echo at the tap',
    expected: cells.residual,
  },
  {
    id: 'policy.former-guest',
    claim: 'F4.inbound',
    control: 'inbound reply',
    statement: 'what answers a former guest of the tap never reaches the next one',
    source: 'findings.md F4, invariants 4 and 5',
    prepare: async (stage) => {
      const { datapath, worldReached } = stage.pod;
      stage.guest.send(datagram({ ...ends, fromPort: formerPort }));
      await stage.pause(60);
      former.set(stage, worldReached.findLast(({ what }) => what === 'datagram')?.peer.port ?? 0);
      await datapath.close(guest.tap);
      const next = await datapath.open(guest, policy);
      // Who is to be answered says first where it is.
      const who = {
        operation: 1,
        senderMac: guest.guestMac,
        senderAddress: own,
        targetAddress: gateway,
      } as const;
      next.send(ethernet({ ...tapLink, to: broadcastMac }, etherTypes.arp, arp(who)));
      await next.sent();
    },
    act: async (stage) => {
      const late = { from: hosts.allowed, to: uplink.ipv4, fromPort: 443, toPort: former.get(stage) ?? 0 };
      const packet = ipv4(late, protocols.udp, udp(late, late, Buffer.from('late')));
      stage.pod.sendFromUplink(ethernet({ from: router.mac, to: uplink.mac }, etherTypes.ipv4, packet));
      await stage.pause(60);
      await stage.pod.datapath.grab(guest)?.settled();
      const next = stage.pod.datapath.grab(guest)?.frames ?? [];
      arrived.set(
        stage,
        next.map(({ frame }) => readFrame(frame)).filter(({ data }) => data.toString() === 'late').length,
      );
    },
    // To nobody's port: the pod says so to the sender.
    explains: ({ from, to, icmpType }) => from === uplink.ipv4 && to === hosts.allowed && icmpType === 3,
    explainsFlow: (line) => line.includes(`src=${hosts.allowed} dst=${uplink.ipv4}`),
    also: (stage) => ((arrived.get(stage) ?? 0) > 0 ? ['the next guest got the answer to a former one'] : []),
    closesControl: true,
    shows: 'the next guest gets the datagram',
    expected: cells.residual,
  },
  {
    ...base,
    id: 'policy.left-behind',
    claim: 'F4.transition',
    statement: 'after the end of a sandbox nothing of it is left in the ruleset',
    source: 'findings.md F4, residual: deletion leaves sets behind',
    prepare: async ({ pod }) => pod.datapath.close(guest.tap),
    also: ({ pod }) =>
      pod
        .ruleset()
        .split('\n')
        .filter((line) => line.includes(guest.tap))
        .map((line) => `left in the ruleset: ${line.trim()}`),
    shows: 'a set with the tap’s name',
    expected: cells.residual,
  },
];
