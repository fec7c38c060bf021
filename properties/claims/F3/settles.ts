/** F3.settles: once faults end, everything comes to an end, and nothing is left over. */
import {
  authors,
  forks,
  notationOfWorld,
  podTenants,
  runWorld,
  type WorldCase,
  type WorldInvariant,
  worldCase,
} from '../../arbitraries/claim-commands.ts';
import { tenantStories } from '../../arbitraries/claim-stories.ts';
import type { ClaimWorld } from '../../models/claim-world.ts';
import type { Violation } from '../../oracles/violation.ts';
import { defineClaim } from '../claim.ts';
import { claimBecomesReady, judgeWorld, observeWorld, settle, statusOf } from '../claim-life.ts';

const rule = 'issue 5: every claim ends Ready, Failed with a reason, or Terminated, and nothing is left over';

const everythingSettles: WorldInvariant = (world) => {
  const { turns, settled } = settle(world);
  if (!settled) {
    return {
      observed: `still at work after ${turns} turns of every worker`,
      required: 'a bounded number of steps',
      requiredRule: rule,
    };
  }
  return unfinished(world) ?? leftOver(world);
};

function unfinished(world: ClaimWorld): Violation | null {
  for (const owner of world.owners) {
    const object = world.ownerObject(owner);
    if (object?.metadata.uid !== owner.uid) continue;
    const { phase, reason } = statusOf(object);
    const deleting = object.metadata.deletionTimestamp !== undefined;
    const ended =
      phase === 'Ready' || phase === 'Terminated' || (phase === 'Failed' && typeof reason === 'string');
    const noChild = owner.kind === 'SandboxFork' && phase === 'Failed';
    if (!deleting && (ended || noChild)) continue;
    return {
      observed: `${owner.name} (${owner.uid}) stays ${deleting ? 'Terminating' : String(phase ?? 'without a phase')}`,
      required: 'Ready, Failed with a reason, or Terminated',
      requiredRule: rule,
    };
  }
  return null;
}

/** Holders that are Ready, with the pod that they name. */
function served(world: ClaimWorld): ReadonlyMap<string, unknown> {
  const ready = new Map<string, unknown>();
  for (const owner of world.owners) {
    const object = world.ownerObject(owner);
    if (object?.metadata.uid !== owner.uid) continue;
    const status = statusOf(object);
    if (status.phase === 'Ready') ready.set(owner.uid, status.sandboxID);
    const children = Array.isArray(status.forks) ? status.forks : [];
    for (const [index, child] of children.entries()) {
      if (child?.phase === 'Ready') ready.set(`${owner.uid}.${index}`, child.sandboxID);
    }
  }
  return ready;
}

function leftOver(world: ClaimWorld): Violation | null {
  const ready = served(world);
  for (const { podUid, alive, holds, hostile } of world.host.husks.values()) {
    if (!alive || hostile || holds === null || ready.get(holds) === podUid) continue;
    return {
      observed: `pod ${podUid} still runs for ${holds}, which is not served by it`,
      required: 'nothing is left over',
      requiredRule: rule,
    };
  }
  for (const record of world.api.list('HuskRecord').items) {
    const holder = typeof record.holder === 'string' ? record.holder : null;
    if (holder === null || ready.get(holder) === record.metadata.name) continue;
    return {
      observed: `the ledger still holds ${record.metadata.name} for ${holder}`,
      required: 'nothing is left over',
      requiredRule: rule,
    };
  }
  return null;
}

export const claim = defineClaim<WorldCase>({
  id: 'F3.settles',
  statement:
    'Once faults end, every claim ends Ready, Failed with a reason, or Terminated, in a bounded number of steps, and no pod and no record is left over.',
  source:
    'findings.md F3 Residual: "a silent peer blocks every claim"; Reference: deliveries capped, deadlines',
  blindSpot: 'a token that was minted before a crash goes with its claim, by ownership',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  examples: () => tenantStories,
  arbitrary: ({ replayPath }) => worldCase([...authors, ...podTenants, ...forks], replayPath),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, () => null, everythingSettles),
  notation: notationOfWorld,
  observe: (subject, input) => observeWorld(runWorld(subject, input, () => null, everythingSettles)),
});
