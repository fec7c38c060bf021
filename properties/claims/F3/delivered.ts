/** F3.delivered: secrets go to one pod, or to none. */
import {
  authors,
  forks,
  notationOfWorld,
  runWorld,
  type WorldCase,
  worldCase,
} from '../../arbitraries/claim-commands.ts';

import { authorStories } from '../../arbitraries/claim-stories.ts';
import { defineClaim } from '../claim.ts';
import {
  all,
  claimBecomesReady,
  judgeWorld,
  observeWorld,
  onePodOneHolder,
  secretsReachOnePod,
} from '../claim-life.ts';

export const claim = defineClaim<WorldCase>({
  id: 'F3.delivered',
  statement:
    'A claim’s secrets reach at most one pod, whatever crashes; a pod that saw secrets is never reused; attempts are capped.',
  source:
    'findings.md F3 Residual: kill -9 between mark and status; "a peer that refuses gets the secrets 381 times"',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  examples: () => authorStories,
  arbitrary: ({ replayPath }) => worldCase([...authors, ...forks], replayPath),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, all(secretsReachOnePod, onePodOneHolder)),
  notation: notationOfWorld,
  observe: (subject, input) =>
    observeWorld(runWorld(subject, input, all(secretsReachOnePod, onePodOneHolder))),
});
