/** F6.witness, F6.reaped and F6.engines: every guest of the zoo before the gate, in each engine that there is. */
import { readdirSync, readlinkSync } from 'node:fs';
import { everyGuest, type ZooGuest, zooInTurn, zooWord } from '#kvm-lab/guests/zoo.ts';
import { residualCells } from '#properties/claims/claim.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { type LabTemplate, plainWish, type TemplateWish } from '../fork-lab.ts';
import { withForkd } from '../forkd-lab.ts';
import type { ForkHost } from '../historic-host.ts';
import { type ForkOne, faultsOf, runZoo, tooSlow, type ZooEnd, type ZooFork, zooTable } from '../zoo-run.ts';

export const zooWish: TemplateWish = { ...plainWish, image: 'zoo', words: `${zooWord}=${everyGuest}` };
const deterministicZoo: TemplateWish = { ...zooWish, clock: 'deterministic' };
/** Most of them wait for their deadline; some use up a core until it comes. */
const atOnce = 6;

/** Forks that are given out in order: the generation chooses the guest, and only ever grows. */
function forksOf(
  { lab }: ForkStage,
  template: LabTemplate,
  host: ForkHost,
  generations: readonly number[],
): ForkOne {
  return async (index) => {
    const fork = await lab.fork(template);
    fork.guest.detach();
    const source = { ...template.source, generation: (generations[index] ?? 1) - 1 };
    const admitted = host.activate({ vm: fork.vm, source, reap: () => fork.vm.stop() });
    return { fork: () => fork, admitted };
  };
}

/** The next generations that are these guests, after all that were given out for the template. */
function generationsOf(template: LabTemplate, guests: readonly ZooGuest[]): number[] {
  return guests.map((guest) => {
    const turn = zooInTurn.indexOf(guest) + 1;
    const rounds = Math.max(0, Math.ceil((template.lastGeneration + 1 - turn) / zooInTurn.length));
    template.lastGeneration = turn + rounds * zooInTurn.length;
    return template.lastGeneration;
  });
}

interface ZooPlan {
  readonly wish: TemplateWish;
  readonly guests: readonly ZooGuest[];
}

async function ofGuests(stage: ForkStage, { wish, guests }: ZooPlan): Promise<ZooEnd[]> {
  const template = await stage.lab.template(wish);
  const host = await stage.lab.host(stage.subject);
  const generations = generationsOf(template, guests);
  return runZoo(guests.length, atOnce, forksOf(stage, template, host, generations));
}

function seenOf(ends: readonly ZooEnd[], isDeterministic: boolean, more: readonly string[] = []): Seen {
  const honest = ends.filter(({ guest }) => guest.refused === 'never');
  const slow = tooSlow(ends);
  const refused = ends.filter(({ isAdmitted }) => !isAdmitted).length;
  const closed = honest.some(({ isAdmitted }) => isAdmitted)
    ? slow.length === 0
      ? null
      : `refused by the deadline before they were judged: ${slow.join(', ')}`
    : 'no honest guest was admitted';
  return {
    closed,
    effects: [...faultsOf(ends, isDeterministic), ...more],
    steps: [`${ends.length} forks: ${refused} refused, ${ends.length - refused} admitted`, ...zooTable(ends)],
    judgedCases: ends.length,
    exhibits: [],
    files: { 'zoo.txt': `${zooTable(ends).join('\n')}\n` },
  };
}

const named = (names: readonly string[]) =>
  zooInTurn.filter(({ name }) => name === 'honest' || names.includes(name));

/** One of each kind that answers; the model's cousins of them are all in the engines' run. */
const liars = named([
  'lying-boolean',
  'stale-generation',
  'stale-proof',
  'credited-only',
  'mixing',
  'inventing',
  'no-sys-admin-lying',
]);
/** Twice: of clones, one may pass. */
const clones = named(['reseed-only', 'reseed-only-inventing', 'same-seed']);

async function runClones(stage: ForkStage): Promise<Seen> {
  const ends = await ofGuests(stage, { wish: deterministicZoo, guests: clones });
  return seenOf([...ends, ...(await ofGuests(stage, { wish: deterministicZoo, guests: clones }))], true);
}

/** As a husk activates: the gate itself, on a VMM of its own process. Who believes a boolean is shown by a few. */
async function runGate(stage: ForkStage): Promise<Seen> {
  const guests = stage.subject === 'reference' ? zooInTurn : liars;
  return seenOf(await ofGuests(stage, { wish: zooWish, guests }), false);
}

async function runForkd(stage: ForkStage): Promise<Seen> {
  return withForkd(stage.lab, zooWish, async ({ engine, template, forks }) => {
    const forkOne: ForkOne = async () => {
      const before = forks.length;
      const admitted = engine.fork({ template, network: null, secrets: [] });
      await Promise.race([admitted.catch(() => undefined), forks.next(before)]);
      const own: ZooFork | null = forks[before] ?? null;
      return { fork: () => own, admitted };
    };
    // One after the other up to the resume, so that each is known by its place.
    const ends = await runZoo(zooInTurn.length, atOnce, forkOne);
    for (const { id } of engine.sandboxes()) await engine.terminate(id);
    const standing = engine.sandboxes().length;
    return seenOf(ends, false, standing === 0 ? [] : [`${standing} sandboxes stand after all were ended`]);
  });
}

/** Of this process: what a fork that is not reaped would add to. */
function held(): { readonly descriptors: number; readonly sockets: number; readonly memfds: number } {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
  return {
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith('socket:')).length,
    memfds: links.filter((link) => link.startsWith('/memfd:')).length,
  };
}

async function runReaped(stage: ForkStage): Promise<Seen> {
  const template = await stage.lab.template(zooWish);
  const host = await stage.lab.host(stage.subject);
  const guests = named([
    'lying-boolean',
    'stale-proof',
    'credited-only',
    'garbage',
    'panics',
    'refuses-release',
  ]);
  const before = held();
  const left: string[] = [];
  const forks: ZooFork[] = [];
  const generations = generationsOf(template, guests);
  const give = forksOf(stage, template, host, generations);
  const ends = await runZoo(guests.length, 1, async (index) => {
    const given = await give(index);
    const fork = given.fork();
    if (fork !== null) forks.push(fork);
    return given;
  });
  const after = held();
  for (const name of ['descriptors', 'sockets', 'memfds'] as const) {
    if (after[name] > before[name])
      left.push(`${after[name] - before[name]} ${name} are left of ${guests.length} forks`);
  }
  const seen = seenOf(ends, false, left);
  return {
    ...seen,
    steps: [...seen.steps, `held before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`],
  };
}

const source =
  'findings.md F6 Reference: the host refuses a fork whose response is missing, late, malformed …';
const control = 'an honest guest of the same template is admitted';
const onReference = { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } as const;

export const zooAttacks: readonly ForkAttack[] = [
  {
    id: 'witness.liars',
    claim: 'F6.witness',
    statement:
      'A guest whose witness is missing, stale, invented or drawn from an untouched generator is refused.',
    source,
    control,
    expected: residualCells,
    template: 'zoo',
    run: async (stage) => seenOf(await ofGuests(stage, { wish: zooWish, guests: liars }), false),
  },
  {
    id: 'witness.clones',
    claim: 'F6.witness',
    statement:
      'Under a deterministic clock siblings that reseed without a fresh seed are refused, all but the first.',
    source: 'facts.md: RNDRESEEDCRNG only, and the same seed in both, under -icount',
    control,
    expected: residualCells,
    template: 'zoo-deterministic',
    run: runClones,
  },
  {
    id: 'reaped.refused',
    claim: 'F6.reaped',
    statement: 'A refused fork leaves no process, descriptor, socket or memory.',
    source:
      'findings.md F6 Reference: "A refused fork is reaped: no process, tap, chain, clone or secret is left"',
    control,
    expected: onReference,
    falsifiedBy: ['refused-runs-on'],
    template: 'zoo',
    run: runReaped,
  },
  {
    id: 'engines.gate',
    claim: 'F6.engines',
    statement: 'The whole zoo is refused and reaped by the gate as a husk drives it.',
    source: 'findings.md F6 Reference: "One gate, shared by the husk, raw-forkd and sandbox-server engines"',
    control,
    expected: residualCells,
    template: 'zoo',
    run: runGate,
  },
  {
    id: 'engines.raw-forkd',
    claim: 'F6.engines',
    statement: 'The whole zoo is refused and reaped by raw-forkd, and its journal holds nothing of it.',
    source: 'findings.md F6 Reference: "One gate, shared by the husk, raw-forkd and sandbox-server engines"',
    control,
    expected: onReference,
    template: 'zoo-forkd',
    run: runForkd,
  },
];
