/** What a policy change or an end should have closed (F4.converge, F4.established, F4.transition). */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { flags, tcp } from '#kvm-lab/frames/transport.ts';
import { guest, nothingAllowed } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, hosts, on4, own, syn } from './guest-frames.ts';

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
