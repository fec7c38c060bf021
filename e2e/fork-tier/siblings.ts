/**
 * Siblings of one snapshot, alive together, and what each draws as soon as it may.
 * Invariant: all draw in the same order, so that what is the same came from the same state.
 */
import { kernelReaders } from '#properties/subjects/guest-lab.ts';
import type { ForkStage } from './fork-attack.ts';
import type { LabFork, LabTemplate } from './fork-lab.ts';
import type { ForkHost } from './historic-host.ts';
import { type Draws, exhibitsOf, percent, shareOf } from './shares.ts';

export interface SiblingPlan {
  readonly count: number;
  /** null: nobody tells them that they were forked. */
  readonly host: ForkHost | null;
  /** Programs that are started after the fork and draw too; `node` is slow without KVM. */
  readonly programs: readonly ProgramReader[];
  readonly times?: number;
  /** Before anybody tells them. */
  readonly before?: (fork: LabFork) => Promise<void>;
  /** After it. */
  readonly after?: (fork: LabFork) => Promise<void>;
}

const programs = {
  'a new process, /dev/urandom': ['head', '-c', '16', '/dev/urandom'],
  'a new process, random/uuid': ['cat', '/proc/sys/kernel/random/uuid'],
  'a new process, Node’s randomBytes': ['node', '-p', 'crypto.randomBytes(16).toString("hex")'],
} as const;
export type ProgramReader = keyof typeof programs;
export const quickPrograms: readonly ProgramReader[] = [
  'a new process, /dev/urandom',
  'a new process, random/uuid',
];
export const allPrograms = Object.keys(programs) as ProgramReader[];

const timesDrawn = 4;

/** Each is gone when this has ended. Rejects when one is refused. */
export async function drawSiblings(
  { lab }: ForkStage,
  template: LabTemplate,
  plan: SiblingPlan,
): Promise<Draws[]> {
  const forks: LabFork[] = [];
  try {
    const all: Draws[] = [];
    for (let index = 0; index < plan.count; index++) {
      const fork = await lab.fork(template);
      forks.push(fork);
      await plan.before?.(fork);
      await plan.host?.activate({ vm: fork.vm, source: template.source, reap: () => fork.vm.stop() });
      await plan.after?.(fork);
      all.push(await drawn(fork, plan));
    }
    return all;
  } finally {
    await Promise.all(forks.map(({ vm }) => vm.stop()));
  }
}

async function drawn(
  { guest }: LabFork,
  { programs: names, times = timesDrawn }: SiblingPlan,
): Promise<Draws> {
  const draws: Record<string, readonly string[]> = { ...(await guest.draw(times)) };
  for (const name of names) {
    const { ok, stdout, error } = await guest.run(programs[name]);
    if (!ok || stdout.length === 0) throw new Error(`${name}: ${error ?? 'it printed nothing'}`);
    draws[name] = [
      /^[\x20-\x7e]+\n$/.test(stdout.toString('latin1')) ? stdout.toString().trim() : stdout.toString('hex'),
    ];
  }
  return draws;
}

const openShare = 0.9;
/** A young guest’s window is a second or two (random.c, crng_reseed_interval): a host held up misses it. */
const windowTries = 3;

/** Whether siblings that nobody tells anything share what the kernel gives them: else others show nothing. */
export async function windowClosed(stage: ForkStage, template: LabTemplate): Promise<string | null> {
  const seen: string[] = [];
  for (let attempt = 0; attempt < windowTries; attempt++) {
    const untold = await drawSiblings(stage, template, { count: 2, host: null, programs: [], times: 2 });
    const shares = kernelReaders.map((reader) => shareOf(untold.map((draws) => draws[reader] ?? [])));
    if (Math.min(...shares) > openShare) return null;
    seen.push(kernelReaders.map((reader, index) => `${reader} ${percent(shares[index] ?? 0)}`).join(' '));
  }
  return `two forks that nobody reseeds do not share random octets; ${windowTries} tries: ${seen.join('; ')}`;
}

/** Two kernels may need an octet of their own a moment apart, and what comes between is another's then. */
const partTries = 3;

/**
 * Of siblings that share a part of what they draw, other siblings are asked as well, and those that share most are
 * judged: what was shared once is never lost. Who shares nothing is judged as it is.
 */
export async function sharingMost(
  drawOnce: () => Promise<readonly Draws[]>,
): Promise<{ readonly siblings: readonly Draws[]; readonly steps: readonly string[] }> {
  const steps: string[] = [];
  let most: { readonly siblings: readonly Draws[]; readonly sum: number } | null = null;
  for (let attempt = 0; attempt < partTries; attempt++) {
    const siblings = await drawOnce();
    const exhibits = exhibitsOf(siblings);
    const shares = exhibits.map(({ share }) => share);
    const sum = shares.reduce((total, share) => total + share, 0);
    if (most === null || sum > most.sum) most = { siblings, sum };
    if (sum === 0 || Math.min(...shares) > openShare) break;
    steps.push(
      `a part is shared: ${exhibits.map(({ reader, share }) => `${reader} ${percent(share)}`).join(', ')}`,
    );
  }
  return { siblings: most?.siblings ?? [], steps };
}
