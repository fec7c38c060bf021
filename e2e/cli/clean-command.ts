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
}

export function addCleanOptions(command: Command): Command {
  return command
    .option('--images', 'images that pnpm lab image built, too')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .addHelpText(
      'after',
      '\nA thing is left when the process that made it is gone: its name, label or environment says which' +
        '\nprocess that was. What a lab that runs holds is not touched.' +
        '\n\nExamples:\n  pnpm lab clean --dry-run\n  pnpm lab clean\n  pnpm lab clean --images',
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
  const rows = outcomes.map(([{ kind, name, detail }, outcome]) => [kind, outcome, name, detail]);
  if (rows.length === 0) process.stdout.write('nothing is left of killed runs\n');
  else process.stdout.write(`${table([['what', 'outcome', 'name', ''], ...rows], (cell) => cell)}\n`);
  for (const { reason, remedy } of unsearched)
    process.stdout.write(`containers and images not looked for: ${reason}; ${remedy}\n`);
  const isGone = (outcome: string) => outcome === 'removed' || outcome === 'would be removed';
  return outcomes.every(([, outcome]) => isGone(outcome)) ? exitCodes.asDeclared : exitCodes.differs;
}

async function outcomeOf(one: Leftover): Promise<string> {
  try {
    await removeLeftover(one);
    return 'removed';
  } catch (error) {
    return `FAILED: ${error instanceof Error ? error.message : String(error)}`;
  }
}
