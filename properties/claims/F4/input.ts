/** F4.input: the packet that the published fix was written for. */
import { ownToLocal } from '../../arbitraries/datapath-attacks.ts';
import type { Scene } from '../../arbitraries/sandbox-scenes.ts';
import type { Violation } from '../../oracles/violation.ts';
import { attackClaim, guestSends } from '../attack-claim.ts';
import { fixedCells } from '../claim.ts';
import { type Met, violationOf } from '../datapath-claim.ts';

/** What it does elsewhere is F4.leave; what is wrong with a query is F4.source. */
function reachesPod(scene: Scene, met: Met | null): Violation | null {
  if (met === null || met.followed.outcome.kind !== 'delivered') return null;
  const { content } = met.packet;
  const resolvers = scene.sandboxes.map(({ network }) => network.ipv4.resolver);
  const isQuery = content.kind === 'ip' && 'dport' in content.body && content.body.dport === 53;
  return isQuery && resolvers.includes(content.destination) ? null : violationOf(scene, met);
}

export const claim = attackClaim({
  id: 'F4.input',
  statement: 'From its own IPv4 address the guest never reaches a pod-local listener other than resolver:53.',
  source: 'findings.md F4, vulnerable: "the guest reaches `:9091` and `:9443` in the pod"',
  blindSpot: 'rules as the evaluator reads them, IPv4, after set-up: the kernel itself is tier kernel',
  expected: { decision: fixedCells, kernel: fixedCells, vm: fixedCells },
  attacks: ownToLocal,
  examples: [guestSends('10.200.0.2', '172.20.0.10', 9443), guestSends('10.200.0.2', '10.200.0.1', 9091)],
  phases: ['standing'],
  objection: reachesPod,
});
