/** `pnpm lab forks`: forks that nobody told anything, their agents on unix sockets, until it is interrupted. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { zoo, zooWord } from '#kvm-lab/guests/zoo.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import { type BuiltInSubject, builtInSubjects } from '#properties/subjects/subject.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { signalled } from '#reference/main/process.ts';
import { ForkLab, plainWish, type TemplateWish } from '../fork-tier/fork-lab.ts';
import { makeSocketFolder, UntoldForks } from '../fork-tier/untold-forks.ts';
import { shellWords } from '../report/shell-words.ts';
import { exitCodes } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

export interface LabForksFlags {
  readonly folder: string;
  readonly guest: string;
  readonly count: number;
}

export function addLabForksOptions(command: Command): Command {
  return command
    .requiredOption('--folder <path>', 'where the sockets are made: 1.control, 1.services, 2.control …')
    .option('--guest <name>', `${builtInSubjects.join(', ')}, or one of pnpm lab guests`, 'reference')
    .option('--count <n>', 'forks, at most', (text) => parseInteger('--count', text, 1, 64), 16)
    .addHelpText(
      'after',
      '\nEach begins when somebody connects to it. No gate stands before it: it is for a host of your own, or the check.' +
        '\nIt runs until it is interrupted, and its VMs end with it.' +
        "\n\nExamples:\n  pnpm lab forks --folder forks\n  pnpm lab forks --folder forks --guest published\n  pnpm check guest --agent 'unix:'$PWD'/forks/{n}.control' --services 'unix:'$PWD'/forks/{n}.services'",
    );
}

function wishOf(guest: string): TemplateWish {
  const subject = builtInSubjects.find((name) => name === guest) as BuiltInSubject | undefined;
  if (subject !== undefined) return { ...plainWish, image: subject };
  if (zoo.some(({ name }) => name === guest)) {
    return { ...plainWish, image: 'zoo', words: `${zooWord}=${guest}` };
  }
  throw new CodedError(
    'unknown-guest',
    `there is no guest '${guest}'`,
    `choose ${builtInSubjects.join(', ')}, or one of pnpm lab guests`,
  );
}

/** 0: it was ended; 3: this machine has no microVMs. */
export async function labForksCommand({ folder, guest, count }: LabForksFlags): Promise<number> {
  const wish = wishOf(guest);
  const missing = microvmUnsupported();
  if (missing !== null) {
    process.stderr.write(`unsupported: ${missing.reason}\n  ${missing.remedy}\n`);
    return exitCodes.incomplete;
  }
  const path = resolve(folder);
  makeSocketFolder(path, count);
  const { accelerator, reason } = await probeAccelerator();
  process.stderr.write(`${accelerator}: ${reason}\nbuilding the template\n`);
  const lab = await ForkLab.open(accelerator);
  try {
    const template = await lab.template(wish).catch((cause: unknown) => {
      if (cause instanceof CodedError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new CodedError(
        'lab-failed',
        `the template was not built: ${why}`,
        'again, on a machine that does less',
        {
          cause,
        },
      );
    });
    const forks = await UntoldForks.serve(lab.vmm, template, path, count);
    const words = ['--agent', `unix:${path}/{n}.control`, '--services', `unix:${path}/{n}.services`];
    const check = shellWords(['pnpm', 'check', 'guest', ...words, '--forks', String(count)]);
    process.stdout.write(
      `ready: ${count} forks of ${guest}, each begins when it is connected to\n${check}\n`,
    );
    await signalled();
    await forks.close();
  } finally {
    await lab.close();
  }
  return exitCodes.asDeclared;
}
