/**
 * Commands that drive two controllers, their husks and tenants through a claim world: turns of workers,
 * crashes, lost and late answers, stale caches, claims that come, go and come again.
 */
import * as fc from 'fast-check';
import { rowOf } from '../models/claim-trace.ts';
import { ClaimWorld, type Fate } from '../models/claim-world.ts';
import { type HuskBehaviour, huskBehaviours } from '../models/husk-host.ts';
import { pool } from '../models/husk-pod.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';

type Effect = (world: ClaimWorld) => void;
type WorldCommand = fc.Command<object, { readonly world: ClaimWorld; readonly invariant: WorldInvariant }>;

/** Looks at the world after every command; what it returns ends the run. */
export type WorldInvariant = (world: ClaimWorld) => Violation | null;

class InvariantBroken extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(violation.observed);
    this.violation = violation;
  }
}

function command(text: string, effect: Effect): WorldCommand {
  return {
    check: () => true,
    run(_model, { world, invariant }) {
      effect(world);
      const violation = invariant(world);
      if (violation !== null) throw new InvariantBroken(violation);
    },
    toString: () => text,
  };
}

const which = fc.nat({ max: 1 });
const claimNames = ['claim-0', 'claim-1'] as const;
const letter = (index: number) => 'AB'[index];

const claimSpec = { poolRef: pool.name, secrets: [{ name: 'db', secretRef: 'db' }] };

/** Turns of one worker, each answered; the last one may meet another fate. */
const turns = fc
  .record({
    controller: which,
    owner: fc.nat({ max: 2 }),
    count: fc.integer({ min: 1, max: 16 }),
    fate: fc.constantFrom<Fate>('answered', 'answered', 'answer lost', 'never arrived'),
    synced: fc.constantFrom(true, true, true, false),
  })
  .map(({ controller, owner, count, fate, synced }) =>
    command(
      `${letter(controller)} ${count} turns on ${owner}${synced ? '' : ' with a stale cache'}${fate === 'answered' ? '' : `, the last: ${fate}`}`,
      (world) => {
        for (let turn = 1; turn <= count; turn++) {
          if (synced) world.sync(controller);
          world.turn(controller, owner, turn === count ? fate : 'answered');
        }
      },
    ),
  );

const crash = which.map((index) => command(`${letter(index)} kill -9`, (world) => world.crash(index)));
const land = fc
  .nat({ max: 3 })
  .map((index) => command(`a late write arrives (${index})`, (world) => world.land(index)));
const sync = which.map((index) => command(`${letter(index)} syncs`, (world) => world.sync(index)));
const lead = fc
  .record({ index: which, leading: fc.boolean() })
  .map(({ index, leading }) =>
    command(`${letter(index)} ${leading ? 'leads' : 'leads no more'}`, (world) => world.lead(index, leading)),
  );
const patience = fc.constantFrom(1_000, 30_000, 120_000).map((ms) =>
  command(`${ms / 1_000} s pass`, (world) => {
    world.nowMs += ms;
  }),
);
const replenish = fc
  .constantFrom<HuskBehaviour>('honest', 'honest', ...huskBehaviours)
  .map((behaviour) => command(`the pool adds a husk (${behaviour})`, (world) => world.addHusk(behaviour)));
const husksDie = fc.nat({ max: 3 }).map((index) =>
  command(`husk ${index} dies`, (world) => {
    const pod = world.api.list('Pod').items[index];
    if (pod === undefined) return;
    world.host.stop(pod.metadata.uid);
    const ref = { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name };
    world.api.patch(ref, { status: { phase: 'Failed' } }, { subresource: 'status' });
  }),
);

/** Faults of processes and networks, without any tenant. */
const faults: readonly fc.Arbitrary<WorldCommand>[] = [
  crash,
  land,
  sync,
  lead,
  patience,
  replenish,
  husksDie,
];

const deleteClaim = which.map((index) =>
  command(`${claimNames[index]} is deleted`, (world) => {
    world.api.remove({ kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' });
  }),
);
const recreateClaim = which.map((index) =>
  command(`${claimNames[index]} is created`, (world) =>
    world.addOwner('SandboxClaim', claimNames[index] ?? '', claimSpec),
  ),
);
const annotate = which.map((index) =>
  command(`its author annotates ${claimNames[index]}`, (world) => {
    const ref = { kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' };
    world.api.patch(ref, { metadata: { annotations: { note: String(world.steps.length) } } });
  }),
);

/** Their authors change what no decision depends on: every write in flight loses its version. */
export const annotations: readonly fc.Arbitrary<WorldCommand>[] = [annotate];

/** Claims come, go, and come again under their names. */
export const authors: readonly fc.Arbitrary<WorldCommand>[] = [deleteClaim, recreateClaim, annotate];

const podAt = (world: ClaimWorld, index: number) => world.api.list('Pod').items[index];
const relabel = fc
  .record({ index: fc.nat({ max: 3 }), value: fc.constantFrom(null, '', 'claim-0', 'claim-1', 'uid-x') })
  .map(({ index, value }) =>
    command(
      `a tenant ${value === null ? 'takes the claim label off' : `sets the claim label to '${value}' on`} pod ${index}`,
      (world) => {
        const pod = podAt(world, index);
        if (pod === undefined) return;
        const ref = { kind: 'Pod', namespace: pool.namespace, name: pod.metadata.name };
        world.api.patch(ref, { metadata: { labels: { 'mitos.run/claim': value } } });
      },
    ),
  );
const recreatePod = fc.nat({ max: 3 }).map((index) =>
  command(`a tenant deletes pod ${index} and makes it again under its name`, (world) => {
    const pod = podAt(world, index);
    if (pod === undefined) return;
    world.api.remove({ kind: 'Pod', namespace: pool.namespace, name: pod.metadata.name });
    world.host.stop(pod.metadata.uid);
    world.plant(pod.metadata.name, { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name });
  }),
);
const plant = fc
  .constantFrom('a-decoy', 'fork-fork-0', 'z-decoy')
  .map((name) =>
    command(`a tenant plants the pod ${name}`, (world) =>
      world.plant(name, { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name }),
    ),
  );
const stripFinalizer = which.map((index) =>
  command(`a tenant takes the finalizer off ${claimNames[index]}`, (world) => {
    const ref = { kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' };
    world.api.patch(ref, { metadata: { finalizers: [] } });
  }),
);

/** What the stock `edit` role can do to pods and claims. */
export const podTenants: readonly fc.Arbitrary<WorldCommand>[] = [
  relabel,
  recreatePod,
  plant,
  stripFinalizer,
];

const squatToken = which.map((index) =>
  command(`a tenant makes the Secret ${claimNames[index]}-sandbox-token, immutable`, (world) => {
    world.api.create({
      kind: 'Secret',
      metadata: { namespace: pool.namespace, name: `${claimNames[index]}-sandbox-token` },
      immutable: true,
      data: { token: 'squatted' },
    });
  }),
);
const labelBystander = which.map((index) =>
  command(`a pod of somebody else carries the label claim=${claimNames[index]}`, (world) => {
    world.plant(`web-${index}`, { app: 'web', 'mitos.run/claim': claimNames[index] ?? '' });
  }),
);

/** Objects of tenants under names that a controller would predict. */
export const squatters: readonly fc.Arbitrary<WorldCommand>[] = [squatToken, labelBystander];

const fork = fc.boolean().map((allowSecretInheritance) =>
  command(
    `a fork of claim-0 is created, inheritance ${allowSecretInheritance ? 'allowed' : 'not allowed'}`,
    (world) =>
      world.addOwner('SandboxFork', 'fork', {
        sourceRef: 'claim-0',
        replicas: 1,
        poolRef: pool.name,
        allowSecretInheritance,
      }),
  ),
);
export const forks: readonly fc.Arbitrary<WorldCommand>[] = [fork];

export interface WorldCase {
  readonly husks: readonly HuskBehaviour[];
  readonly commands: Iterable<WorldCommand>;
  toString(): string;
}

/** Two claims, husks, process faults, and what else a claim adds. */
export function worldCase(
  own: readonly fc.Arbitrary<WorldCommand>[],
  replayPath: string | undefined,
  husk: fc.Arbitrary<HuskBehaviour> = fc.constantFrom('honest', 'honest', 'honest', ...huskBehaviours),
): fc.Arbitrary<WorldCase> {
  const options = { maxCommands: 14, ...(replayPath === undefined ? {} : { replayPath }) };
  // Turns are half of everything: a world in which nobody works shows nothing.
  const mixed = fc.oneof(
    { weight: 8, arbitrary: turns },
    { weight: 5, arbitrary: fc.oneof(...faults) },
    ...(own.length === 0 ? [] : [{ weight: 4, arbitrary: fc.oneof(...own) }]),
  );
  return fc
    .tuple(fc.array(husk, { minLength: 1, maxLength: 3 }), fc.commands([mixed], options))
    .map(([husks, commands]) => ({
      husks,
      commands,
      toString: () => `husks ${husks.join(', ')}: ${String(commands)}`,
    }));
}

export interface Ran {
  readonly world: ClaimWorld;
  readonly violation: Violation | null;
}

/** Runs the commands; the first broken invariant, with the sequence table that led to it. */
export function runWorld(
  subject: Subject,
  { husks, commands }: WorldCase,
  invariant: WorldInvariant,
  atEnd: WorldInvariant = () => null,
): Ran {
  const world = new ClaimWorld(subject, husks, ['db']);
  for (const name of claimNames) world.addOwner('SandboxClaim', name, claimSpec);
  world.sync(0);
  world.sync(1);
  let violation: Violation | null = null;
  try {
    fc.modelRun(() => ({ model: {}, real: { world, invariant } }), commands);
    violation = atEnd(world);
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    violation = error.violation;
  }
  if (violation === null) return { world, violation };
  return { world, violation: { ...violation, steps: world.steps.map(rowOf) } };
}

/** The commands that ran, a line each, without fast-check's replay comment. */
export function notationOfWorld(input: WorldCase): string {
  return input
    .toString()
    .replace(/\/\*.*\*\//, '')
    .replace(/: /, '\n')
    .replace(/,(?! )/g, '\n')
    .trim();
}
