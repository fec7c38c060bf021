/**
 * Pools with husks of the controller and pods that an attacker planted or changed: what a selection sees.
 */
import * as fc from 'fast-check';
import { changed, genuinePod, type HuskPod, type HuskRecord, recordOf } from '../models/husk-pod.ts';

/** What an attacker did to one pod; pure, named for the reader. */
export interface Attack {
  readonly says: string;
  readonly apply: (pod: HuskPod) => HuskPod;
}

export interface Scene {
  readonly pods: readonly HuskPod[];
  readonly ledger: readonly HuskRecord[];
  /** UIDs that must never be selected, and why. */
  readonly hostile: Readonly<Record<string, string>>;
}

export interface HostilePod {
  readonly attack: Attack;
  /** Whether it was a pod of the controller before. */
  readonly recorded: boolean;
  readonly sortsFirst: boolean;
}

const husk = (index: number) => genuinePod(`pool-husk-${index}`, `uid-husk-${index}`, `10.0.0.${index + 1}`);

export interface SceneCase {
  readonly genuine: number;
  readonly hostile: readonly HostilePod[];
  readonly order: number;
  readonly holder: string;
  /** Addresses that ordinary pods of the namespace have. */
  readonly inhabited: readonly string[];
}

/** Attacks are chosen among `attacks`; `recorded` says whether the pods were the controller's before. */
export function sceneCase(
  attacks: readonly Attack[],
  recorded: fc.Arbitrary<boolean>,
  inhabited: readonly string[] = [],
): fc.Arbitrary<SceneCase> {
  return fc.record({
    genuine: fc.nat({ max: 3 }),
    hostile: fc.array(
      fc.record({ attack: fc.constantFrom(...attacks), recorded, sortsFirst: fc.boolean() }),
      { minLength: 1, maxLength: 3 },
    ),
    order: fc.nat({ max: 23 }),
    holder: fc.constantFrom('uid-claim', 'uid-claim-2', 'uid-claim-3', 'uid-claim-4'),
    inhabited: fc.constant(inhabited),
  });
}

/** The pods and the ledger of a case, in an order that the case names. */
export function sceneOf({ genuine, hostile, order, inhabited }: SceneCase): Scene {
  const good = Array.from({ length: genuine }, (_, index) => husk(index));
  const bad = hostile.map(({ attack, recorded, sortsFirst }, index) => {
    const name = sortsFirst ? `a-${index}` : `pool-husk-z${index}`;
    const before = genuinePod(name, `uid-hostile-${index}`, `10.0.1.${index + 1}`);
    return { before, after: attack.apply(before), recorded, says: attack.says };
  });
  const pods = [...good, ...bad.map(({ after }) => after), ...inhabited.map(bystander)];
  return {
    pods: rotated(pods, order),
    ledger: [
      ...good.map((pod) => recordOf(pod)),
      ...bad.filter(({ recorded }) => recorded).map(({ before }) => recordOf(before)),
    ],
    hostile: Object.fromEntries(bad.map(({ before, says }) => [before.metadata.uid, says])),
  };
}

/** A pod that has nothing to do with husks. */
function bystander(address: string, index: number): HuskPod {
  const pod = genuinePod(`web-${index}`, `uid-web-${index}`, address);
  return { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' }, ownerReferences: [] } };
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

export const owners = {
  /** The references of a pod, replaced. */
  of(says: string, references: HuskPod['metadata']['ownerReferences']): Attack {
    return { says, apply: (pod) => changed(pod, 'metadata', { ownerReferences: references }) };
  },
};

export const attackOn = {
  status: (says: string, status: (pod: HuskPod) => Partial<HuskPod['status']>): Attack => ({
    says,
    apply: (pod) => changed(pod, 'status', status(pod)),
  }),
  spec: (says: string, spec: (pod: HuskPod) => Partial<HuskPod['spec']>): Attack => ({
    says,
    apply: (pod) => changed(pod, 'spec', spec(pod)),
  }),
};
