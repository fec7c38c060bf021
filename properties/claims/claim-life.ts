/**
 * What the F3 claims on claim handling have in common: worlds of two controllers, and invariants of what
 * reached whom.
 */
import { type Ran, runWorld, type WorldCase, type WorldInvariant } from '../arbitraries/claim-commands.ts';
import type { ApiObject } from '../models/api-server.ts';
import { sequenceTable } from '../models/claim-trace.ts';
import { ClaimWorld, maxAttempts } from '../models/claim-world.ts';
import { pool } from '../models/husk-pod.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';

/** Turns in which an undisturbed controller must have settled everything. */
const settlingTurns = 400;

/** The path is open: an undisturbed claim becomes Ready, on a husk that holds it. */
export function claimBecomesReady(subject: Subject): string | null {
  const world = new ClaimWorld(subject, ['honest', 'honest'], ['db']);
  world.addOwner('SandboxClaim', 'claim-0', {
    poolRef: pool.name,
    secrets: [{ name: 'db', secretRef: 'db' }],
  });
  world.lead(0, true);
  for (let turn = 0; turn < 60; turn++) {
    world.sync(0);
    world.turn(0, 0);
  }
  const [owner] = world.owners;
  const [delivery] = world.deliveries;
  if (owner === undefined || phaseOf(world, 0) !== 'Ready') return 'an undisturbed claim never becomes Ready';
  return delivery?.holder === owner.uid && delivery.secrets.includes('db')
    ? null
    : 'its Secret is never delivered';
}

export function phaseOf(world: ClaimWorld, owner: number): unknown {
  const of = world.owners[owner];
  const object = of === undefined ? null : world.ownerObject(of);
  return object?.metadata.uid === of?.uid ? statusOf(object).phase : undefined;
}

function isThere(world: ClaimWorld, owner: ClaimWorld['owners'][number]): boolean {
  return world.ownerObject(owner)?.metadata.uid === owner.uid;
}

export function statusOf(object: ApiObject | null): Readonly<Record<string, unknown>> {
  return (object?.status ?? {}) as Readonly<Record<string, unknown>>;
}

/** A pod sees the secrets of one holder, ever. */
export const onePodOneHolder: WorldInvariant = ({ host, reassigned }) => {
  const [moved] = reassigned;
  if (moved !== undefined) {
    return {
      observed: `pod ${moved.podUid}, held for ${moved.before}, is marked for ${moved.holder}`,
      required: 'a pod serves one claim, ever',
      requiredRule: 'findings.md F3: one pod, one claim, for every interleaving',
    };
  }
  for (const { podUid, seen } of host.husks.values()) {
    if (seen.size <= 1) continue;
    return {
      observed: `pod ${podUid} was handed the secrets of ${[...seen].join(' and ')}`,
      required: 'a pod serves one claim, ever',
      requiredRule: 'findings.md F3: one pod, one claim, for every interleaving',
    };
  }
  return null;
};

/** Secrets of one claim reach one pod, not more often than the cap says. */
export const secretsReachOnePod: WorldInvariant = (world) => {
  for (const { uid } of world.owners) {
    const own = world.deliveries.filter(({ holder }) => holder === uid);
    const pods = new Set(own.map(({ podUid }) => podUid));
    if (pods.size > 1) {
      return {
        observed: `the secrets of ${uid} reached ${[...pods].join(' and ')}`,
        required: 'at most one pod',
        requiredRule: 'findings.md F3: at most one pod, whatever crashes',
      };
    }
    if (own.length > maxAttempts) {
      return {
        observed: `the secrets of ${uid} were sent ${own.length} times`,
        required: `at most ${maxAttempts} times`,
        requiredRule: 'findings.md F3: deliveries are capped',
      };
    }
  }
  return null;
};

export const noHostilePod: WorldInvariant = ({ host }) => {
  for (const { podUid, seen, hostile } of host.husks.values()) {
    if (!hostile || seen.size === 0) continue;
    return {
      observed: `the planted pod ${podUid} was handed the secrets of ${[...seen].join(', ')}`,
      required: 'a planted pod gets nothing',
      requiredRule: 'findings.md F3: only pods that the controller created itself',
    };
  }
  return null;
};

/** Invariants one after the other. */
export function all(...invariants: readonly WorldInvariant[]): WorldInvariant {
  return (world) => {
    for (const invariant of invariants) {
      const violation = invariant(world);
      if (violation !== null) return violation;
    }
    return null;
  };
}

/**
 * Faults end: one controller leads, its cache follows, answers come, time passes. Everything that can still
 * happen happens within a bounded number of turns.
 */
export function settle(world: ClaimWorld): { readonly turns: number; readonly settled: boolean } {
  world.lead(1, false);
  world.crash(0);
  world.lead(0, true);
  world.afloat = [];
  let idle = 0;
  for (let turn = 0; turn < settlingTurns; turn++) {
    let worked = false;
    for (let owner = 0; owner < world.owners.length; owner++) {
      world.sync(0);
      worked = world.turn(0, owner) || worked;
    }
    // A worker that waits is asked again after its time, twice past every deadline.
    idle = worked ? 0 : idle + 1;
    if (!worked) world.nowMs += 20_000;
    if (idle > 12) return { turns: turn, settled: true };
  }
  return { turns: settlingTurns, settled: false };
}

export function judgeWorld(
  subject: Subject,
  input: WorldCase,
  invariant: WorldInvariant,
  atEnd?: WorldInvariant,
): Violation | null {
  return runWorld(subject, input, invariant, atEnd).violation;
}

/** For `repro`: what the subject did, as a sequence table. */
export function observeWorld(ran: Ran): string {
  const { world, violation } = ran;
  const phases = world.owners.map(
    (owner, index) =>
      `${owner.name} ${String(phaseOf(world, index) ?? (isThere(world, owner) ? 'Pending' : 'gone'))}`,
  );
  const head = violation === null ? 'holds' : violation.observed;
  return [`${head}; ${phases.join(', ')}`, ...sequenceTable(world.steps)].join('\n');
}
