/**
 * Commands that drive two controllers, their husks and tenants through a claim world: turns of workers,
 * crashes, lost and late answers, stale caches, claims that come, go and come again.
 */
import * as fc from 'fast-check';
import { sequenceTable } from '../models/claim-trace.ts';
import { ClaimWorld } from '../models/claim-world.ts';
import { type HuskBehaviour, huskBehaviours } from '../models/husk-host.ts';
import { pool } from '../models/husk-pod.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';

type Effect = (world: ClaimWorld) => void;
export type WorldCommand = fc.Command<
  object,
  { readonly world: ClaimWorld; readonly invariant: WorldInvariant }
>;

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

/** What no controller does, as a row of the sequence table too. */
function happens(text: string, effect: Effect): WorldCommand {
  return command(text, (world) => {
    world.steps.push({ who: '·', what: text, precondition: '', result: '' });
    effect(world);
  });
}

const which = fc.nat({ max: 1 });
const claimNames = ['claim-0', 'claim-1'] as const;
const letter = (index: number) => 'AB'[index];

const claimSpec = { poolRef: pool.name, secrets: [{ name: 'db', secretRef: 'db' }] };

const stops = [
  'mark',
  'label',
  'token',
  'intend',
  'take-over',
  'dial',
  'deliver',
  'spend',
  'publish',
  'fail',
  'delete-pod',
  'forget',
  'unfinalize',
] as const;
type Stop = (typeof stops)[number];

/** What becomes of the action that a worker stops at. */
const ends = ['waits', 'answer lost', 'never arrived', 'crash before', 'crash after'] as const;

/** Longest stretch of work: a whole life of a claim, twice. */
const longestWork = 48;
const syncs = ['always', 'always', 'at first', 'not at all', 'the ledger alone'] as const;

function work(
  world: ClaimWorld,
  controller: number,
  owner: number,
  sync: (typeof syncs)[number],
  stop?: Stop,
): boolean {
  if (sync === 'at first') world.sync(controller);
  if (sync === 'the ledger alone') world.sync(controller, 'ledger');
  for (let turn = 0; turn < longestWork; turn++) {
    if (sync === 'always') world.sync(controller);
    if (stop !== undefined && world.intends(controller, owner) === stop) return true;
    const before = world.steps.length;
    if (!world.turn(controller, owner) && before === world.steps.length && turn > 4) return false;
  }
  return false;
}

type Sync = (typeof syncs)[number];
const staleness = (sync: Sync) => (sync === 'always' ? '' : `, its cache syncs ${sync}`);

/** A worker works on one claim until nothing is left to do. */
export function worksOn(controller: number, owner: number, sync: Sync = 'always'): WorldCommand {
  return command(`${letter(controller)} works on owner ${owner}${staleness(sync)}`, (world) => {
    work(world, controller, owner, sync);
  });
}

/** … until it wants to do one thing, which then waits, is lost, or dies with it: before or after the deed. */
export function stopsAt(
  controller: number,
  owner: number,
  stop: Stop,
  end: (typeof ends)[number],
  sync: Sync = 'always',
): WorldCommand {
  const text = `${letter(controller)} works on owner ${owner} up to its ${stop}, ${end}${staleness(sync)}`;
  return command(text, (world) => {
    if (!work(world, controller, owner, sync, stop) || end === 'waits') return;
    if (end === 'answer lost' || end === 'never arrived') world.turn(controller, owner, end);
    if (end === 'crash after') world.turn(controller, owner);
    if (end.startsWith('crash')) world.crash(controller);
  });
}

const worker = { controller: which, owner: fc.nat({ max: 2 }), sync: fc.constantFrom(...syncs) };
const anyWork = fc.record(worker).map(({ controller, owner, sync }) => worksOn(controller, owner, sync));
const anyStop = fc
  .record({ ...worker, stop: fc.constantFrom(...stops), end: fc.constantFrom('waits', ...ends) })
  .map(({ controller, owner, stop, end, sync }) => stopsAt(controller, owner, stop, end, sync));

export const syncsAll = (index: number): WorldCommand =>
  command(`${letter(index)} syncs all`, (world) => world.sync(index));

const crash = which.map((index) => command(`${letter(index)} kill -9`, (world) => world.crash(index)));
const land = fc
  .nat({ max: 3 })
  .map((index) => command(`a late write arrives (${index})`, (world) => world.land(index)));
const sync = fc
  .record({
    index: which,
    kind: fc.constantFrom<'all' | 'owners' | 'pods' | 'ledger'>('all', 'owners', 'pods', 'ledger'),
  })
  .map(({ index, kind }) => command(`${letter(index)} syncs ${kind}`, (world) => world.sync(index, kind)));
const lead = fc
  .record({ index: which, leading: fc.boolean() })
  .map(({ index, leading }) =>
    happens(`${letter(index)} ${leading ? 'leads' : 'leads no more'}`, (world) => world.lead(index, leading)),
  );
const patience = fc.constantFrom(1_000, 30_000, 120_000).map((ms) =>
  happens(`${ms / 1_000} s pass`, (world) => {
    world.nowMs += ms;
  }),
);
const replenish = fc
  .constantFrom<HuskBehaviour>('honest', 'honest', ...huskBehaviours)
  .map((behaviour) => happens(`the pool adds a husk (${behaviour})`, (world) => world.addHusk(behaviour)));
export const dies = (index: number): WorldCommand =>
  happens(`husk ${index} dies`, (world) => {
    const pod = world.api.list('Pod').items[index];
    if (pod === undefined) return;
    world.host.stop(pod.metadata.uid);
    const ref = { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name };
    world.api.patch(ref, { status: { phase: 'Failed' } }, { subresource: 'status' });
  });

/** Faults of processes and networks, without any tenant. */
const faults: readonly fc.Arbitrary<WorldCommand>[] = [
  crash,
  land,
  sync,
  lead,
  patience,
  replenish,
  fc.nat({ max: 3 }).map(dies),
];

export const deletesClaim = (index: number): WorldCommand =>
  happens(`${claimNames[index]} is deleted`, (world) => {
    world.api.remove({ kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' });
  });
export const createsClaim = (index: number): WorldCommand =>
  happens(`${claimNames[index]} is created`, (world) =>
    world.addOwner('SandboxClaim', claimNames[index] ?? '', claimSpec),
  );
const annotate = which.map((index) =>
  happens(`its author annotates ${claimNames[index]}`, (world) => {
    const ref = { kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' };
    world.api.patch(ref, { metadata: { annotations: { note: String(world.steps.length) } } });
  }),
);

/** Their authors change what no decision depends on: every write in flight loses its version. */
export const annotations: readonly fc.Arbitrary<WorldCommand>[] = [annotate];

/** Claims come, go, and come again under their names. */
export const authors: readonly fc.Arbitrary<WorldCommand>[] = [
  which.map(deletesClaim),
  which.map(createsClaim),
  annotate,
];

const podAt = (world: ClaimWorld, index: number) => world.api.list('Pod').items[index];
export const relabels = (index: number, value: string | null): WorldCommand =>
  happens(
    `a tenant ${value === null ? 'takes the claim label off' : `sets the claim label to '${value}' on`} pod ${index}`,
    (world) => {
      const pod = podAt(world, index);
      if (pod === undefined) return;
      const ref = { kind: 'Pod', namespace: pool.namespace, name: pod.metadata.name };
      world.api.patch(ref, { metadata: { labels: { 'mitos.run/claim': value } } });
    },
  );
const relabel = fc
  .record({ index: fc.nat({ max: 3 }), value: fc.constantFrom(null, null, '', 'claim-1', 'uid-x') })
  .map(({ index, value }) => relabels(index, value));
const recreatePod = fc.nat({ max: 3 }).map((index) =>
  happens(`a tenant deletes pod ${index} and makes it again under its name`, (world) => {
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
    happens(`a tenant plants the pod ${name}`, (world) =>
      world.plant(name, { 'mitos.run/husk': 'true', 'mitos.run/pool': pool.name }),
    ),
  );
export const losesAddress = (index: number): WorldCommand =>
  happens(`pod ${index} dies, and a tenant's pod gets its address`, (world) => {
    const pod = podAt(world, index);
    const husk = world.host.husks.get(pod?.metadata.uid ?? '');
    if (husk === undefined) return;
    world.host.stop(husk.podUid);
    world.plant(`heir-${index}`, { app: 'web' }, husk.address);
  });
const stripFinalizer = which.map((index) =>
  happens(`a tenant takes the finalizer off ${claimNames[index]}`, (world) => {
    const ref = { kind: 'SandboxClaim', namespace: pool.namespace, name: claimNames[index] ?? '' };
    world.api.patch(ref, { metadata: { finalizers: [] } });
  }),
);

/** What the stock `edit` role can do to pods and claims. */
export const podTenants: readonly fc.Arbitrary<WorldCommand>[] = [
  relabel,
  recreatePod,
  plant,
  fc.nat({ max: 3 }).map(losesAddress),
  stripFinalizer,
];

export const squatsToken = (index: number): WorldCommand =>
  happens(`a tenant makes the Secret ${claimNames[index]}-sandbox-token, immutable`, (world) => {
    world.api.create({
      kind: 'Secret',
      metadata: { namespace: pool.namespace, name: `${claimNames[index]}-sandbox-token` },
      immutable: true,
      data: { token: 'squatted' },
    });
  });
export const labelsBystander = (index: number): WorldCommand =>
  happens(`a pod of somebody else carries the label claim=${claimNames[index]}`, (world) => {
    world.plant(`web-${index}`, { app: 'web', 'mitos.run/claim': claimNames[index] ?? '' });
  });

/** Objects of tenants under names that a controller would predict. */
export const squatters: readonly fc.Arbitrary<WorldCommand>[] = [
  which.map(squatsToken),
  which.map(labelsBystander),
];

const fork = fc.boolean().map((allowSecretInheritance) =>
  happens(
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
  // Work is half of everything: a world in which nobody works shows nothing.
  const mixed = fc.oneof(
    { weight: 4, arbitrary: anyWork },
    { weight: 6, arbitrary: anyStop },
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
  return { world, violation: { ...violation, steps: sequenceTable(world.steps) } };
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
