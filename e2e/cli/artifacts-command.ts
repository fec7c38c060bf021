/** `pnpm lab artifacts`: what guests boot from, fetched, built and held to its digests; or the pins made anew. */
import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { defaultKernel, type GuestImage, guestArtifacts, images } from '#kvm-lab/artifacts/artifacts.ts';
import { lockPath } from '#kvm-lab/artifacts/lock.ts';
import { newLock } from '#kvm-lab/artifacts/update-lock.ts';
import { exitCodes } from './exit-codes.ts';

export interface ArtifactsFlags {
  readonly kernel: string;
  readonly image: GuestImage;
  readonly update?: true;
}

export function addArtifactsOptions(command: Command): Command {
  return command
    .option('--kernel <name>', 'the kernel: see artifacts.lock.json', defaultKernel)
    .addOption(new Option('--image <name>', 'whose agent is PID 1').choices(images).default('honest'))
    .option('--update', 'pin what the archive of Debian has today, and write artifacts.lock.json')
    .addHelpText(
      'after',
      '\nKernels and libraries are Debian’s packages, fetched by apt-get download; nothing is installed. They are' +
        '\nkept in the folder HUSKPROOF_CACHE, else $XDG_CACHE_HOME/huskproof, else ~/.cache/huskproof.' +
        '\n\nExamples:\n  pnpm lab artifacts\n  pnpm --silent lab artifacts --kernel 6.12-cloud\n  pnpm lab artifacts --update',
    );
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** Paths and digests as JSON on stdout. */
export async function artifactsCommand(flags: ArtifactsFlags): Promise<number> {
  if (flags.update === true) {
    const lock = await newLock(say);
    writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
    say('artifacts.lock.json is written: see what changed with git diff, and commit it');
    return exitCodes.asDeclared;
  }
  const artifacts = await guestArtifacts(flags.kernel, flags.image, say);
  process.stdout.write(`${JSON.stringify(artifacts, null, 2)}\n`);
  return exitCodes.asDeclared;
}
