/** F3.once: one pod, one claim. */
import {
  annotations,
  forks,
  notationOfWorld,
  runWorld,
  type WorldCase,
  worldCase,
} from '../../arbitraries/claim-commands.ts';

import { processStories } from '../../arbitraries/claim-stories.ts';
import { defineClaim } from '../claim.ts';
import { claimBecomesReady, judgeWorld, observeWorld, onePodOneHolder } from '../claim-life.ts';

export const claim = defineClaim<WorldCase>({
  id: 'F3.once',
  statement:
    'One pod serves one claim, for every interleaving of claims, conflicts, restarts and two leaders (no tenant interferes: F3.claimed; no claim is re-created with its name: F3.single).',
  source: 'findings.md F3 Reference: "one pod, one claim, for every interleaving"',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' } },
  weight: 0.3,
  examples: () => processStories,
  arbitrary: ({ replayPath }) => worldCase([...annotations, ...forks], replayPath),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, onePodOneHolder),
  notation: notationOfWorld,
  observe: (subject, input) => observeWorld(runWorld(subject, input, onePodOneHolder)),
});
