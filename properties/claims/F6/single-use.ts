/**
 * F6.single-use: host and agent refuse what was used before, even where the host's own source of randomness
 * repeats itself.
 */
import * as fc from 'fast-check';
import { generation } from '../../arbitraries/reseed.ts';
import { type AgentMove, type Draw, type HostMove, type ReuseCase, runReuse } from '../../models/reuse.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

const few = fc.nat({ max: 3 });
const draw: Record<keyof Draw, fc.Arbitrary<number>> = {
  seed: few,
  seedOctets: fc.oneof({ weight: 6, arbitrary: fc.constant(32) }, fc.constantFrom(0, 1, 16, 31, 33, 64)),
  nonce: few,
  generation: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) },
    fc.constantFrom(0, -1, 1.5, 2 ** 53),
    generation,
  ),
};
const hostMove: fc.Arbitrary<HostMove> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('fork' as const), snapshot: fc.nat({ max: 1 }), ...draw }),
  },
  fc.constant<HostMove>({ do: 'kill -9' }),
);
const agentMove: fc.Arbitrary<AgentMove> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('notify' as const),
      version: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.constantFrom(0, 2, 1.5)),
      ...draw,
    }),
  },
  fc.constant<AgentMove>({ do: 'release and snapshot' }),
);

const fresh = { seed: 1, seedOctets: 32, nonce: 1, generation: 7 };
const again = { seed: 2, seedOctets: 32, nonce: 2, generation: 8 };

/** Two forks of one snapshot, and a fork of a fork, with fresh randomness each, are served. */
function freshIsUsed(subject: Subject): string | null {
  const forks = [fresh, again].map((each): HostMove => ({ do: 'fork', snapshot: 0, ...each }));
  const host = runReuse(subject, { side: 'host', storeCapacity: 64, moves: forks });
  if (host.used !== 2) return `fresh randomness is not sent: ${host.rule}`;
  const notify = (each: Draw): AgentMove => ({ do: 'notify', version: 1, ...each });
  const moves = [notify(fresh), { do: 'release and snapshot' } as const, notify(again)];
  const agent = runReuse(subject, { side: 'agent', moves });
  return agent.used === 2 ? null : `a fresh seed is not taken: ${agent.rule}`;
}

function describeDraw({ seed, seedOctets, nonce, generation: number }: Draw): string {
  return `generation ${number}, seed #${seed} of ${seedOctets} octets, nonce #${nonce}`;
}

function describe(input: ReuseCase): string {
  if (input.side === 'host') {
    const moves = input.moves.map((move) =>
      move.do === 'fork' ? `fork of template ${move.snapshot}: ${describeDraw(move)}` : move.do,
    );
    return [`host, store of ${input.storeCapacity} keys`, ...moves].join('\n');
  }
  const moves = input.moves.map((move) =>
    move.do === 'notify' ? `notify_forked version ${move.version}: ${describeDraw(move)}` : move.do,
  );
  return ['agent', ...moves].join('\n');
}

export const claim = defineClaim<ReuseCase>({
  id: 'F6.single-use',
  statement:
    'A seed, a nonce or a generation that was used before for the snapshot, or a seed of fewer than 32 octets, is refused by host and agent alike, also after kill -9, and when no more can be remembered.',
  source:
    'findings.md F6 Reference: "a fresh single-use seed, a nonce and a generation that is unique per fork"; system.md: seed(32+ bytes)',
  blindSpot:
    'vulnerable and published draw inside: nothing that was observed gives them a repeated draw, so they have no such input.',
  decisions: ['activation-step', 'agent-step'],
  expected: { decision: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } },
  weight: 0.5,
  arbitrary: () =>
    fc.oneof(
      fc.record({
        side: fc.constant('host' as const),
        storeCapacity: fc.oneof({ weight: 3, arbitrary: fc.constant(64) }, fc.nat({ max: 9 })),
        moves: fc.array(hostMove, { minLength: 1, maxLength: 6 }),
      }),
      fc.record({
        side: fc.constant('agent' as const),
        moves: fc.array(agentMove, { minLength: 1, maxLength: 8 }),
      }),
    ),
  control: freshIsUsed,
  judge: (subject, input) => runReuse(subject, input).violation,
  notation: describe,
  observe(subject, input) {
    const { used, rule } = runReuse(subject, input);
    return `${used} used, the others refused  [${rule}]`;
  },
});
