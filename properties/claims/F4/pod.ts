/** F4.pod: the datapath leaves the pod alone. */
import * as fc from 'fast-check';
import { beginnings, podTraffic } from '../../arbitraries/datapath-attacks.ts';
import type { Scene } from '../../arbitraries/sandbox-scenes.ts';
import { type Moment, start } from '../../models/datapath-world.ts';
import { constantBytes } from '../../oracles/bdd/bit-vector.ts';
import { effectOf, sourceOf } from '../../oracles/datapath/invariants.ts';
import type { Outcome } from '../../oracles/nft/evaluate/pipeline.ts';
import type { Violation } from '../../oracles/violation.ts';
import { attackClaim } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';
import { type Met, send } from '../datapath-claim.ts';

const bare: Moment = start;

/** A policy may open a port of the pod to some: what it sends to the guest is not the pod's. */
function isOpened({ packet: { content }, moment }: Met): boolean {
  if (content.kind !== 'ip') return false;
  const { body } = content;
  const opened = [...moment.standing.values()].flatMap(({ policies }) =>
    policies.flatMap(({ inbound }) => inbound),
  );
  return opened.some(({ protocol, podPort }) => body.kind === protocol && body.dport === podPort);
}

/** What comes of it, and from which address and port whoever gets it sees it come. */
function seenOf(outcome: Outcome): string | null {
  const effect = effectOf(outcome);
  const source = sourceOf(outcome);
  if (effect === null || source === null) return effect;
  const [high = 0, low = 0] = constantBytes(outcome.packet.transport.read(0, 2)) ?? [];
  return `${effect}, from ${source} ${high * 256 + low}`;
}

/** The same comes of it as without any rule. */
function unaffected(scene: Scene, met: Met | null): Violation | null {
  if (met === null || met.flow !== null || isOpened(met)) return null;
  const without = seenOf(send(scene, bare, met.packet).outcome);
  const within = seenOf(met.followed.outcome);
  if (without === within) return null;
  return {
    observed: `under the rules: ${within ?? `nothing (${met.followed.outcome.reason})`}`,
    required: `as without them: ${without ?? 'nothing'}`,
    requiredRule: 'F4 invariant 6',
  };
}

export const claim = attackClaim({
  id: 'F4.pod',
  statement: 'Uplink ↔ pod traffic is unaffected: probes, the controller’s dial, port-forward.',
  source: 'findings.md F4, reference, invariant 6',
  blindSpot:
    'ports of the pod that a policy opens are the guest’s; loopback beyond the output hook is tier kernel',
  // A kernel keeps the port of what it translates: a guest that sends from UDP 9443 takes the listener's packets.
  expected: {
    decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    kernel: residualCells,
    vm: residualCells,
  },
  attacks: (scene) =>
    fc.oneof(
      { weight: 4, arbitrary: podTraffic(scene) },
      beginnings(scene)
        .filter(({ by }) => by === 'pod' || by === 'neighbour')
        .chain((flow) =>
          fc.record({
            kind: fc.constant<'later'>('later'),
            flow: fc.constant(flow),
            direction: fc.constantFrom<'original' | 'reply'>('original', 'reply'),
            error: fc.constant(null),
            port: fc.constant(null),
          }),
        ),
    ),
  phases: ['standing', 'changed'],
  objection: unaffected,
});
