/** The parts of `pnpm bench fork`, each of which runs alone; all need a template, which is built first. */

export const forkParts = ['latency', 'live', 'rate'] as const;
export type ForkPart = (typeof forkParts)[number];

export const isForkPart = (name: string): name is ForkPart => (forkParts as readonly string[]).includes(name);
