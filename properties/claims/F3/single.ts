/** F3.single: one claim, by UID, one pod. */
import {
  authors,
  notationOfWorld,
  runWorld,
  type WorldCase,
  type WorldInvariant,
  worldCase,
} from '../../arbitraries/claim-commands.ts';
import { authorStories } from '../../arbitraries/claim-stories.ts';
import { defineClaim } from '../claim.ts';
import { claimBecomesReady, judgeWorld, observeWorld, statusOf } from '../claim-life.ts';

/** No claim has two husks at once, and what a Ready claim names was activated for that UID. */
const oneClaimOnePod: WorldInvariant = (world) => {
  for (const owner of world.owners) {
    const pods = [...world.host.husks.values()].filter(({ alive, holds }) => alive && holds === owner.uid);
    if (pods.length > 1) {
      return {
        observed: `${owner.uid} holds ${pods.map(({ podUid }) => podUid).join(' and ')}`,
        required: 'one pod',
        requiredRule: 'findings.md F3: one claim (by UID) holds one pod',
      };
    }
    const object = world.ownerObject(owner);
    const { phase, sandboxID } = statusOf(object);
    if (owner.kind !== 'SandboxClaim' || object?.metadata.uid !== owner.uid || phase !== 'Ready') continue;
    const holds = world.host.husks.get(String(sandboxID))?.holds;
    if (holds === owner.uid) continue;
    return {
      observed: `${owner.uid} is Ready on ${String(sandboxID)}, which holds ${holds ?? 'nothing'}`,
      required: 'a pod that was activated for it',
      requiredRule: 'findings.md F3: mitos.run/claim carries the claim’s UID',
    };
  }
  return null;
};

export const claim = defineClaim<WorldCase>({
  id: 'F3.single',
  statement:
    'One claim (by UID) holds one pod, for every interleaving; a claim that is created again under its name inherits none.',
  source: 'findings.md F3 Residual: "two active controllers: 8 of 12 claims held 2–4 pods"',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  examples: () => authorStories,
  arbitrary: ({ replayPath }) => worldCase(authors, replayPath),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, oneClaimOnePod),
  notation: notationOfWorld,
  observe: (subject, input) => observeWorld(runWorld(subject, input, oneClaimOnePod)),
});
