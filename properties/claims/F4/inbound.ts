/** F4.inbound: what reaches a guest. */
import * as fc from 'fast-check';
import { inward, later } from '../../arbitraries/datapath-attacks.ts';
import { neighbour, type Scene, scenes, uplink } from '../../arbitraries/sandbox-scenes.ts';
import { type AttackCase, attackClaim, example } from '../attack-claim.ts';
import { residualCells } from '../claim.ts';

/** A neighbour on the uplink that takes the pod for its router. */
const toGuest = (dport: number): AttackCase['attack'] => ({
  kind: 'first',
  state: 'new',
  packet: {
    port: 'eth0',
    link: { to: uplink.mac, from: neighbour.mac, tags: [] },
    content: {
      kind: 'ip',
      source: neighbour.ipv4,
      destination: '10.200.0.2',
      hops: 64,
      body: { kind: 'tcp', sport: 40_000, dport, flags: 0x02 },
    },
  },
});
const fromNeighbour = example(toGuest(22));
/** Its policy opens this port of the pod, not of its own address. */
const pastThePod: AttackCase = { ...example(toGuest(8080)), scene: scenes[2] as Scene };

export const claim = attackClaim({
  id: 'F4.inbound',
  statement: 'Only replies (or explicit policy) reach the guest; tap never talks to tap.',
  source: 'findings.md F4, residual: "neighbours on the uplink reach the guest; tap → tap crosses"',
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  attacks: (scene) => fc.oneof({ weight: 3, arbitrary: inward(scene) }, later(scene, [null, 'eth0'])),
  examples: [fromNeighbour, pastThePod],
  phases: ['standing', 'changed'],
});
