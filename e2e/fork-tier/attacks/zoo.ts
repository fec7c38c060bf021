/** F6.witness and F6.reaped: guests of the zoo before the gate of each subject, and what is left of them. */
import { readdirSync, readlinkSync } from 'node:fs';
import { everyGuest, type ZooGuest, zooInTurn, zooWord } from '#kvm-lab/guests/zoo.ts';
import { residualCells } from '#properties/claims/claim.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { type LabTemplate, plainWish, type TemplateWish } from '../fork-lab.ts';
import type { ForkHost } from '../historic-host.ts';
import {
  type ForkOne,
  faultsOf,
  runZoo,
  tooSlow,
  twinsIn,
  type ZooEnd,
  type ZooFork,
  zooTable,
} from '../zoo-run.ts';

export const zooWish: TemplateWish = { ...plainWish, image: 'zoo', words: `${zooWord}=${everyGuest}` };
/** Most of them wait for their deadline; some use up a core until it comes. */
export const atOnce = 4;

/** Forks that are given out in order: the generation chooses the guest, and only ever grows. */
function forksOf(
  { lab }: ForkStage,
  template: LabTemplate,
  host: ForkHost,
  generations: readonly number[],
): ForkOne {
  return async (index) => {
    const { vm, guest, crossings } = await lab.fork(template);
    guest.detach();
    const fork: ZooFork = { vm, crossings, atSnapshot: template.source.generatorAtSnapshot };
    const source = { ...template.source, generation: (generations[index] ?? 1) - 1 };
    const admitted = host.activate({ vm, source, reap: () => vm.stop() });
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

export async function ofGuests(stage: ForkStage, { wish, guests }: ZooPlan): Promise<ZooEnd[]> {
  const template = await stage.lab.template(wish);
  const host = await stage.lab.host(stage.subject, { deadlineMs: await paceOf(stage, template) });
  const generations = generationsOf(template, guests);
  return runZoo(guests.length, atOnce, forksOf(stage, template, host, generations));
}

const leastDeadlineMs = 5_000;
const paces = new WeakMap<LabTemplate, number>();

/** The gate's deadline: many times what an honest guest takes on this machine now, since others run beside it. */
export async function paceOf(stage: ForkStage, template: LabTemplate): Promise<number> {
  const known = paces.get(template);
  if (known !== undefined) return known;
  const host = await stage.lab.host('reference');
  const give = forksOf(stage, template, host, generationsOf(template, named([])));
  const begunMs = performance.now();
  const { fork, admitted } = await give(0);
  await admitted.finally(() => fork()?.vm.stop());
  const deadlineMs = Math.ceil(Math.max(leastDeadlineMs, pace * (performance.now() - begunMs)));
  paces.set(template, deadlineMs);
  return deadlineMs;
}
const pace = 12;

export function zooSeen(ends: readonly ZooEnd[], more: readonly string[] = []): Seen {
  const honest = ends.filter(({ guest }) => guest.refused === 'never');
  const slow = tooSlow(ends);
  const refused = ends.filter(({ isAdmitted }) => !isAdmitted).length;
  const isAdmitted = honest.some((end) => end.isAdmitted);
  const closed = !isAdmitted
    ? 'no honest guest was admitted'
    : slow.length > ends.length / 4
      ? `the run was too slow to judge ${slow.join(', ')}`
      : null;
  return {
    closed,
    effects: [...faultsOf(ends), ...more],
    steps: [
      `${ends.length} forks: ${refused} refused, ${ends.length - refused} admitted; too slow to be judged: ${slow.length}`,
      ...zooTable(ends),
    ],
    judgedCases: ends.length,
    exhibits: [],
    files: { 'zoo.txt': `${zooTable(ends).join('\n')}\n` },
  };
}

const named = (names: readonly string[]) =>
  zooInTurn.filter(({ name }) => name === 'honest' || names.includes(name));

/** One of each kind that answers; the model's cousins of them are all in the engines' run. */
export const liars = named([
  'lying-boolean',
  'stale-generation',
  'stale-proof',
  'credited-only',
  'mixing',
  'inventing',
  'no-sys-admin-lying',
]);
const twins = zooInTurn.filter(({ name }) => name === 'same-sample');
const twinRounds = 3;

/** All reseed as they should, and show one sample: the first may pass. */
async function runTwins(stage: ForkStage): Promise<Seen> {
  const guests = [...named([]), ...Array.from({ length: twinRounds }, () => twins).flat()];
  const ends = await ofGuests(stage, { wish: zooWish, guests });
  const seen = zooSeen(ends);
  const closed = twinsIn(ends).flat().length > 1 ? null : 'no two of them showed the same sample';
  return { ...seen, closed: seen.closed ?? closed };
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
  const host = await stage.lab.host(stage.subject, { deadlineMs: await paceOf(stage, template) });
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
  const generations = generationsOf(template, guests);
  const give = forksOf(stage, template, host, generations);
  const ends = await runZoo(guests.length, 1, give);
  const after = held();
  for (const name of ['descriptors', 'sockets', 'memfds'] as const) {
    if (after[name] > before[name])
      left.push(`${after[name] - before[name]} ${name} are left of ${guests.length} forks`);
  }
  const seen = zooSeen(ends, left);
  return {
    ...seen,
    steps: [...seen.steps, `held before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`],
  };
}

const source =
  'findings.md F6 Reference: the host refuses a fork whose response is missing, late, malformed …';
export const zooControl = 'an honest guest of the same template is admitted';
export const onReference = { vulnerable: 'no-input', published: 'no-input', reference: 'holds' } as const;

export const zooAttacks: readonly ForkAttack[] = [
  {
    id: 'witness.liars',
    claim: 'F6.witness',
    statement:
      'A guest whose witness is missing, stale, invented or drawn from an untouched generator is refused.',
    source,
    control: zooControl,
    expected: residualCells,
    template: 'zoo',
    run: async (stage) => zooSeen(await ofGuests(stage, { wish: zooWish, guests: liars })),
  },
  {
    id: 'witness.twins',
    claim: 'F6.witness',
    statement: 'Of siblings that show one sample at most one is admitted.',
    source,
    control: `${zooControl}, and two show the same sample`,
    expected: residualCells,
    template: 'zoo',
    run: runTwins,
  },
  {
    id: 'reaped.refused',
    claim: 'F6.reaped',
    statement: 'A refused fork leaves no process, descriptor, socket or memory.',
    source:
      'findings.md F6 Reference: "A refused fork is reaped: no process, tap, chain, clone or secret is left"',
    control: zooControl,
    expected: onReference,
    falsifiedBy: ['refused-runs-on'],
    template: 'zoo',
    run: runReaped,
  },
];
