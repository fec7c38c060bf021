/** Every attack on forks, by its id, and which one stands for a claim where not all of them run. */
import type { ClaimId } from '#properties/claims/claim.ts';
import { unknownName } from '#properties/matrix/catalogue.ts';
import { creditedAttacks } from './attacks/credited.ts';
import { engineAttacks } from './attacks/engines.ts';
import { freshAttacks } from './attacks/fresh.ts';
import { inheritAttacks } from './attacks/inherit.ts';
import { liveAttacks } from './attacks/live.ts';
import { orderAttacks } from './attacks/order.ts';
import { siblingAttacks } from './attacks/siblings.ts';
import { snapshotAttacks } from './attacks/snapshot.ts';
import { zooAttacks } from './attacks/zoo.ts';
import type { ForkAttack } from './fork-attack.ts';

const all: readonly ForkAttack[] = [
  ...siblingAttacks,
  ...creditedAttacks,
  ...freshAttacks,
  ...snapshotAttacks,
  ...liveAttacks,
  ...inheritAttacks,
  ...orderAttacks,
  ...zooAttacks,
  ...engineAttacks,
];

/** With those of one template beside each other: it is booted once. */
export const forkAttacks: readonly ForkAttack[] = [
  ...Map.groupBy(all, ({ template }) => template).values(),
].flat();

/** @throws CodedError `unknown-attack` */
export function forkAttackNamed(id: string): ForkAttack {
  const found = forkAttacks.find((attack) => attack.id === id);
  if (found !== undefined) return found;
  throw unknownName(
    'attack',
    id,
    forkAttacks.map((attack) => attack.id),
  );
}

/** One attack for each claim: what verify and repro show. */
export const forkShowpieces: ReadonlyMap<ClaimId, string> = new Map<ClaimId, string>([
  ['F6.diverged', 'siblings.two'],
  ['F6.userspace', 'siblings.agent-state'],
  ['F6.credited', 'credited.no-device'],
  ['F6.fresh', 'fresh.seeds'],
  ['F6.snapshot', 'snapshot.changed'],
  ['F6.live', 'live.fan-out'],
  ['F6.inherit', 'inherit.live-fork'],
  ['F6.order', 'order.observed'],
  ['F6.witness', 'witness.liars'],
  ['F6.reaped', 'reaped.refused'],
  ['F6.engines', 'engines.gate'],
]);
