/** F3.claimed: the ledger knows whose a pod is, whatever its labels say. */
import {
  authors,
  forks,
  notationOfWorld,
  podTenants,
  runWorld,
  type WorldCase,
  worldCase,
} from '../../arbitraries/claim-commands.ts';

import { tenantStories } from '../../arbitraries/claim-stories.ts';
import { defineClaim } from '../claim.ts';
import {
  all,
  claimBecomesReady,
  judgeWorld,
  noHostilePod,
  observeWorld,
  onePodOneHolder,
} from '../claim-life.ts';

export const claim = defineClaim<WorldCase>({
  id: 'F3.claimed',
  statement:
    'Removing, emptying or forging the claim label of a pod never makes it available again, nor another’s.',
  source:
    'findings.md F3 Residual: "by removing the claim label of a pod in use has the next claim activated on it"',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  examples: () => tenantStories,
  arbitrary: ({ replayPath }) => worldCase([...authors, ...podTenants, ...forks], replayPath),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, all(onePodOneHolder, noHostilePod)),
  notation: notationOfWorld,
  observe: (subject, input) => observeWorld(runWorld(subject, input, all(onePodOneHolder, noHostilePod))),
});
