/** F6.fresh: each fork gets a seed of its own, once, and nobody else hears of it. */
import { notationOfSeeds, runSeedCase, type SeedCase, seedCase } from '../../arbitraries/seed-commands.ts';
import { SeedWatch } from '../../models/seed-watch.ts';
import { WitnessStore } from '../../models/witness-store.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

/** A fork whose randomness the host has just drawn is notified. */
function freshSeedIsSent(subject: Subject): string | null {
  const watch = new SeedWatch(subject, new WitnessStore(64));
  const [seed, nonce] = ['5e'.repeat(32), 'aa'.repeat(32)];
  watch.begin({ fork: 'fork-0', snapshot: 'sha256:template', generation: 7, seed, nonce });
  watch.answer(0);
  return watch.sent.length === 1 ? null : `a fresh seed is not sent: ${watch.rule}`;
}

export const claim = defineClaim<SeedCase>({
  id: 'F6.fresh',
  statement:
    'Every fork is sent a seed that the host drew for it alone; a seed is sent once, whatever is repeated, late or killed, and no rule, reply or other action tells it.',
  source:
    'findings.md F6 Reference; system.md: "Entropy, secrets, tokens and absolute clock values are never logged"',
  blindSpot:
    'That the host draws from a good source is not seen here; what happens when it draws the same twice is F6.single-use.',
  decisions: ['activation-step', 'agent-step'],
  expected: {
    decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    vm: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
  },
  weight: 0.4,
  arbitrary: ({ replayPath }) => seedCase(replayPath),
  control: freshSeedIsSent,
  judge: (subject, input) => runSeedCase(subject, input).violation,
  notation: notationOfSeeds,
  observe(subject, input) {
    const { sent, rule } = runSeedCase(subject, input).watch;
    return `${sent.length} seeds sent, to ${sent.map(({ fork }) => fork).join(', ') || 'nobody'}  [${rule}]`;
  },
});
