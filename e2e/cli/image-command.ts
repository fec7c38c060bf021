/** `pnpm lab image`: builds the image that provider `container` runs. */
import type { Command } from 'commander';
import { engineUnsupported } from '#kvm-lab/providers/container/docker-engine.ts';
import {
  buildImage,
  hasImage,
  huskImage,
  imageUnsupported,
} from '#kvm-lab/providers/container/husk-image.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import { exitCodes } from './exit-codes.ts';

export interface ImageFlags {
  readonly rebuild?: true;
}

export function addImageOptions(command: Command): Command {
  return command
    .option('--rebuild', 'build it although the engine has it')
    .addHelpText(
      'after',
      '\nIt needs a Docker engine that runs and the Debian package mmdebstrap.' +
        '\n\nExamples:\n  pnpm lab image\n  pnpm e2e:husk-network --provider container',
    );
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** The image's name on stdout. Exit code 3: it cannot be had here. */
export async function imageCommand(flags: ImageFlags): Promise<number> {
  const missing = engineUnsupported();
  if (missing !== null) return unsupported(missing);
  if (flags.rebuild === true || !hasImage(huskImage())) {
    const startMs = performance.now();
    await buildImage(say);
    say(`built in ${Math.round((performance.now() - startMs) / 1_000)} s`);
  } else say('the engine has it already');
  const lacks = imageUnsupported(huskImage());
  if (lacks !== null) return unsupported(lacks);
  process.stdout.write(`${huskImage()}\n`);
  return exitCodes.asDeclared;
}

function unsupported({ reason, remedy }: Unsupported): number {
  process.stderr.write(`unsupported: ${reason}\n  ${remedy}\n`);
  return exitCodes.incomplete;
}
