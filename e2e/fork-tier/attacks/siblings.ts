/** F6.diverged and F6.userspace: siblings of one snapshot, and whether they ever draw the same. */

import { residualCells } from '#properties/claims/claim.ts';
import { kernelReaders } from '#properties/subjects/guest-lab.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { plainWish, type TemplateWish } from '../fork-lab.ts';
import { type Draws, exhibitsOf, percent, shareOf } from '../shares.ts';
import {
  allPrograms,
  drawSiblings,
  quickPrograms,
  type SiblingPlan,
  sharingMost,
  windowClosed,
} from '../siblings.ts';

const residual = 'findings.md F6 Residual; facts.md, the kernel’s generator after a fork';
const control = 'two forks that nobody tells anything share what the kernel gives them';

type Ground = Omit<TemplateWish, 'image'>;

export const wishOf = ({ subject }: ForkStage, ground: Ground): TemplateWish => ({
  ...ground,
  image: subject,
});

interface Siblings {
  readonly ground: Ground;
  readonly plan: Omit<SiblingPlan, 'host'>;
  /** Which of the readers are judged; all, unless it is said. */
  readonly judged?: (reader: string) => boolean;
}

const kernelOnly = (reader: string) =>
  kernelReaders.some((name) => name === reader) || reader.startsWith('a new process');

async function runSiblings(stage: ForkStage, { ground, plan, judged = () => true }: Siblings): Promise<Seen> {
  const template = await stage.lab.template(wishOf(stage, ground));
  const closed = await windowClosed(stage, template);
  const host = await stage.lab.host(stage.subject);
  const ofJudged = (draws: Draws) =>
    Object.fromEntries(Object.entries(draws).filter(([name]) => judged(name)));
  const drawOnce = async () => (await drawSiblings(stage, template, { ...plan, host })).map(ofJudged);
  const { siblings: all, steps } = await sharingMost(drawOnce);
  return seenOf(all, closed, steps);
}

export function seenOf(
  siblings: readonly Draws[],
  closed: string | null,
  steps: readonly string[] = [],
): Seen {
  const exhibits = exhibitsOf(siblings);
  return {
    closed,
    effects: exhibits
      .filter(({ share }) => share > 0)
      .map(
        ({ reader, drawn, share }) =>
          `${reader}: ${percent(share)} is the same in siblings, such as ${drawn[0]}`,
      ),
    steps: [
      ...steps,
      `${siblings.length} siblings; duplicated: ${exhibits.map(({ reader, share }) => `${reader} ${percent(share)}`).join(', ')}`,
    ],
    judgedCases: siblings.reduce((sum, draws) => sum + Object.values(draws).flat().length, 0),
    exhibits,
    files: { 'draws.json': JSON.stringify(siblings, null, 2) },
  };
}

const plain: Ground = plainWish;
/** The 6.1 of the cloud flavour has no driver. */
const withDriver = '6.1';

function siblings(
  id: string,
  statement: string,
  template: string,
  given: Siblings,
  more: Partial<ForkAttack> = {},
): ForkAttack {
  return {
    id: `siblings.${id}`,
    claim: 'F6.diverged',
    statement,
    source: residual,
    control,
    expected: residualCells,
    template,
    run: (stage) => runSiblings(stage, given),
    ...more,
  };
}

export const siblingAttacks: readonly ForkAttack[] = [
  siblings(
    'two',
    'Two siblings never draw the same from any reader, a process started after the fork included.',
    'plain',
    {
      ground: plain,
      plan: { count: 2, programs: allPrograms },
    },
  ),
  siblings('eight', 'Eight siblings never draw the same from any reader.', 'plain', {
    ground: plain,
    plan: { count: 8, programs: quickPrograms },
  }),
  siblings(
    'thirty-two',
    'Thirty-two siblings never draw the same from any reader.',
    'plain',
    { ground: plain, plan: { count: 32, programs: quickPrograms } },
    { isLong: true },
  ),
  siblings(
    'deterministic-clock',
    'Siblings diverge where no clock makes them: instructions count the time (-icount), and there is no RDRAND.',
    'deterministic',
    { ground: { ...plain, clock: 'deterministic' }, plan: { count: 2, programs: quickPrograms } },
  ),
  siblings(
    'stale-generation-id',
    'Siblings diverge although the VM generation ID is the one of the snapshot and the kernel has its driver.',
    'stale',
    {
      ground: { ...plain, kernel: withDriver, generationId: 'stale' },
      plan: { count: 2, programs: quickPrograms },
    },
  ),
  siblings(
    'fresh-generation-id',
    'A fresh VM generation ID makes the kernel’s generators diverge by itself, whatever the agent does.',
    'fresh',
    {
      ground: { ...plain, kernel: withDriver, generationId: 'fresh' },
      plan: { count: 2, programs: quickPrograms },
      judged: kernelOnly,
    },
    {
      expected: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
      control: 'the same kernel with a stale ID: siblings.stale-generation-id',
      run: runFreshId,
    },
  ),
  siblings(
    'agent-state',
    'What the agent’s process keeps of its own (OpenSSL’s DRBG, cached UUIDs, Math.random, keys) is renewed with the kernel.',
    'plain',
    {
      ground: plain,
      plan: {
        count: 2,
        programs: [],
        // The kernel diverges in any case: what is the same is the process’s own.
        after: async ({ guest }) => void (await guest.must({ lab: 'renew' })),
      },
      judged: (reader) => !kernelOnly(reader),
    },
    {
      claim: 'F6.userspace',
      source: 'findings.md F6 Residual: "Userspace generators … stay duplicated even after that"',
    },
  ),
];

/** The kernel itself closes the window: that is judged. What forks share otherwise shows that they are siblings. */
async function runFreshId(stage: ForkStage): Promise<Seen> {
  const ground: Ground = { ...plain, kernel: withDriver, generationId: 'fresh' };
  const template = await stage.lab.template(wishOf(stage, ground));
  const untold = await drawSiblings(stage, template, { count: 2, host: null, programs: [] });
  const ofProcess = shareOf(untold.map((draws) => draws.randomBytes ?? []));
  const closed = ofProcess > 0.9 ? null : 'the untold forks share nothing at all: they are no siblings';
  const host = await stage.lab.host(stage.subject);
  const told = await drawSiblings(stage, template, { count: 2, host, programs: quickPrograms });
  const kernel = (draws: Draws) =>
    Object.fromEntries(Object.entries(draws).filter(([name]) => kernelOnly(name)));
  return seenOf([...told, ...untold].map(kernel), closed);
}
