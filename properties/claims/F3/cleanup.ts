/** F3.cleanup: what goes is what the claim owned, by UID. */
import * as fc from 'fast-check';
import {
  authors,
  notationOfWorld,
  podTenants,
  runWorld,
  squatters,
  type WorldCase,
  type WorldInvariant,
  worldCase,
} from '../../arbitraries/claim-commands.ts';
import { squatterStories } from '../../arbitraries/claim-stories.ts';
import type { ClaimWorld } from '../../models/claim-world.ts';
import { pool } from '../../models/husk-pod.ts';
import { defineClaim } from '../claim.ts';
import { claimBecomesReady, judgeWorld, observeWorld, settle, statusOf } from '../claim-life.ts';

/** Each deleted pod was held for that owner; each deleted Secret is owned by it. */
const onlyItsOwn: WorldInvariant = (world) => {
  for (const { owner, object, inUse } of world.removals) {
    const { uid, name, ownerReferences = [] } = object.metadata;
    const own =
      object.kind === 'Pod'
        ? world.host.husks.get(uid)?.hostile === false &&
          (belongs(world.heldBy.get(uid), owner.uid) || world.labelledFor.get(uid) === owner.uid)
        : object.kind === 'HuskRecord'
          ? belongs(world.heldBy.get(name), owner.uid)
          : ownerReferences.some((reference) => reference.uid === owner.uid);
    if (own && inUse) {
      return {
        observed: `${owner.name} (${owner.uid}) is Ready, and its husk ${name} is deleted`,
        required: 'only what is not in use',
        requiredRule: 'findings.md F3: a stale view frees nothing',
      };
    }
    if (own) continue;
    return {
      observed: `the end of ${owner.name} (${owner.uid}) deletes ${object.kind} ${name} (${uid})`,
      required: 'only what it owns, by UID',
      requiredRule: 'findings.md F3: "deleting a claim deletes any pod labelled with its name"',
    };
  }
  return null;
};

/** Holders of a fork's children are `<UID>.<index>`. */
const belongs = (holder: string | undefined, uid: string) => holder === uid || holder?.startsWith(`${uid}.`);

/** A tenant's own Secret stands where a controller would expect the token. */
function isTokenNameTaken({ api }: ClaimWorld, name: string): boolean {
  const ref = { kind: 'Secret', namespace: pool.namespace, name: `${name}-sandbox-token` };
  const found = api.read(ref);
  return found.ok && found.object.immutable === true;
}

/** A name that a tenant took fails no claim. */
const nobodyElseIsBroken: WorldInvariant = (world) => {
  settle(world);
  for (const owner of world.owners) {
    const object = world.ownerObject(owner);
    const { phase, reason } = statusOf(object);
    if (object?.metadata.uid !== owner.uid || object.metadata.deletionTimestamp !== undefined) continue;
    if (!isTokenNameTaken(world, owner.name)) continue;
    if (
      phase === 'Ready' ||
      phase === 'Terminated' ||
      (phase === 'Failed' && !/token/.test(String(reason)))
    ) {
      continue;
    }
    return {
      observed:
        phase === undefined
          ? `${owner.name} never gets a phase`
          : `${owner.name} ends ${String(phase)}: ${String(reason)}`,
      required: 'a tenant’s object of a predictable name breaks nobody’s claim',
      requiredRule:
        'findings.md F3: "a tenant’s immutable <claim>-sandbox-token fails the victim’s claim for good"',
    };
  }
  return onlyItsOwn(world);
};

export const claim = defineClaim<WorldCase>({
  id: 'F3.cleanup',
  statement:
    'Deleting a claim removes only what it owns by UID; a tenant’s object of a predictable name breaks nobody else’s claim.',
  source:
    'findings.md F3 Residual and Reference: "tenant-side objects are reached by UID and owner, never by name alone"',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  examples: () => squatterStories,
  arbitrary: ({ replayPath }) =>
    worldCase([...authors, ...squatters, ...podTenants], replayPath, fc.constant('honest')),
  control: claimBecomesReady,
  judge: (subject, input) => judgeWorld(subject, input, onlyItsOwn, nobodyElseIsBroken),
  notation: notationOfWorld,
  observe: (subject, input) => observeWorld(runWorld(subject, input, onlyItsOwn, nobodyElseIsBroken)),
});
