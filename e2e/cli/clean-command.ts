/** `pnpm lab clean`: removes what killed runs of the lab left, and says what it was. */
import type { Command } from 'commander';
import { type Leftover, leftovers, removeLeftover } from '#kvm-lab/leftovers/leftovers.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import { table } from '../report/terminal.ts';
import { exitCodes } from './exit-codes.ts';

/** A process that is ended leaves things of its own. */
const maxRounds = 4;

export interface CleanFlags {
  readonly images?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** In UTC, to the second, or null when nobody says: a run of an earlier boot, an image. */
const whenOf = ({ ownerStart }: Leftover) => ownerStart?.toISOString().replace('.000', '') ?? null;

export function addCleanOptions(command: Command): Command {
  return command
    .option('--images', 'images that pnpm lab image built, too')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .option('--json', 'the answer as JSON on stdout')
    .addHelpText(
      'after',
      '\nA thing is left when the process that made it is gone: its name, label or environment says which' +
        '\nprocess that was. What a lab that runs holds is not touched.' +
        '\n\nExamples:\n  pnpm lab clean --dry-run\n  pnpm lab clean\n  pnpm lab clean --images' +
        '\n  pnpm --silent lab clean --json',
    );
}

/** 0: nothing is left now; 1: something could not be removed. */
export async function cleanCommand(flags: CleanFlags): Promise<number> {
  const outcomes: [Leftover, string][] = [];
  let unsearched: readonly Unsupported[] = [];
  const isKnown = ({ name }: Leftover) => outcomes.some(([one]) => one.name === name);
  for (let round = 0; round < maxRounds; round++) {
    const search = leftovers({ images: flags.images === true });
    unsearched = search.unsearched;
    const found = search.found.filter((one) => !isKnown(one));
    if (found.length === 0) break;
    for (const one of found) {
      outcomes.push([one, flags.dryRun === true ? 'would be removed' : await outcomeOf(one)]);
    }
  }
  if (flags.json === true) process.stdout.write(`${jsonOf(outcomes, unsearched)}\n`);
  else printOutcomes(outcomes, unsearched);
  const isGone = (outcome: string) => outcome === 'removed' || outcome === 'would be removed';
  return outcomes.every(([, outcome]) => isGone(outcome)) ? exitCodes.asDeclared : exitCodes.differs;
}

function jsonOf(outcomes: readonly [Leftover, string][], unsearched: readonly Unsupported[]): string {
  const left = outcomes.map(([one, outcome]) => ({
    ...{ what: one.kind, name: one.name, detail: one.detail, runOf: whenOf(one), outcome },
  }));
  return JSON.stringify({ v: 1, left, unsearched }, null, 2);
}

function printOutcomes(outcomes: readonly [Leftover, string][], unsearched: readonly Unsupported[]): void {
  const rows = outcomes.map(([one, outcome]) => [
    ...[one.kind, outcome, one.name, whenOf(one) ?? '–', one.detail],
  ]);
  if (rows.length === 0) process.stdout.write('nothing is left of killed runs\n');
  else
    process.stdout.write(
      `${table([['what', 'outcome', 'name', 'of a run of', ''], ...rows], (cell) => cell)}\n`,
    );
  for (const { reason, remedy } of unsearched)
    process.stdout.write(`containers and images not looked for: ${reason}; ${remedy}\n`);
}

async function outcomeOf(one: Leftover): Promise<string> {
  try {
    await removeLeftover(one);
    return 'removed';
  } catch (error) {
    return `FAILED: ${error instanceof Error ? error.message : String(error)}`;
  }
}
