/** `pnpm sandbox create|exec|fork|list|end`: sandboxes of a server that runs, by their ids. */
import type { Command } from 'commander';
import { CodedError } from '#reference/base/coded-error.ts';
import { servedAt } from '#reference/main/serve-sandboxes.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { exitCodes, exitWith } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';
import { leastMemoryMiB, stateFolder } from './sandbox-engine-command.ts';
import { addProgramOptions, type ProgramFlags, runOnServer, told } from './sandbox-programs.ts';
import {
  type AskedVolume,
  declaredBy,
  imagesOf,
  octetsAmong,
  parseVolume,
  volumeFlag,
  volumeFlagHelp,
  volumeHelp,
} from './sandbox-volumes.ts';

interface ServerFlags {
  readonly folder: string;
}

interface CreateFlags extends ServerFlags {
  readonly memory: number;
  readonly ttl?: number;
  readonly idle?: number;
  readonly volume: readonly AskedVolume[];
}

/** @throws CodedError `no-server` */
async function serverOf({ folder }: ServerFlags): Promise<SandboxClient> {
  const served = await servedAt(folder);
  if (served !== null) return new SandboxClient(served.url, served.token);
  throw new CodedError(
    'no-server',
    `no sandbox server runs on ${folder}`,
    'start one: pnpm sandbox serve; or name its folder with --folder',
  );
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const seconds = (flag: string) => (text: string) => parseInteger(flag, text, 1, 86_400);

async function create(flags: CreateFlags): Promise<number> {
  const client = await serverOf(flags);
  const { memory, ttl, idle, volume } = flags;
  const octetsOf = volume.length === 0 ? () => 0 : octetsAmong(await client.images());
  const { id: template } = await client.buildTemplate({
    ...{ memoryMiB: memory, volumes: [...declaredBy(volume, octetsOf)] },
  });
  const { id } = await client.fork({
    ...{ template, volumes: imagesOf(volume) },
    ...(ttl === undefined ? {} : { ttlSeconds: ttl }),
    ...(idle === undefined ? {} : { idleSeconds: idle }),
  });
  say(id);
  return exitCodes.asDeclared;
}

async function list(flags: ServerFlags): Promise<number> {
  for (const { id, parent, volumes, hasNetwork } of await (await serverOf(flags)).sandboxes()) {
    const more = [
      ...(parent === null ? [] : [`of ${parent}`]),
      ...(volumes.length === 0 ? [] : [`volumes ${volumes.join(', ')}`]),
      ...(hasNetwork ? ['network'] : []),
    ];
    say([id, ...more].join('  '));
  }
  return exitCodes.asDeclared;
}

export function addSandboxClientCommands(sandbox: Command): void {
  const verb = (name: string, summary: string) =>
    sandbox
      .command(name)
      .exitOverride()
      .summary(summary)
      .description(`Asks the server that runs on the folder: ${summary}.`)
      .option('--folder <path>', 'of pnpm sandbox serve', stateFolder());
  verb('create', 'a sandbox that stays; prints its id')
    .option(
      '--memory <MiB>',
      'of the guest',
      (text) => parseInteger('--memory', text, leastMemoryMiB, 3_072),
      512,
    )
    .option('--ttl <seconds>', 'then it ends; else after an hour', seconds('--ttl'))
    .option('--idle <seconds>', 'unused for so long, it ends; else ten minutes', seconds('--idle'))
    .option(volumeFlag, volumeFlagHelp, parseVolume, [])
    .addHelpText(
      'after',
      `\n${volumeHelp}\n\nExamples:\n  pnpm --silent sandbox create\n  pnpm --silent sandbox create --volume data.ext4:/data:ro --volume scratch.ext4:/work`,
    )
    .action(async (flags: CreateFlags) => exitWith(await create(flags)));
  addProgramOptions(verb('exec', 'a program in a sandbox'))
    .argument('<id>', 'of the sandbox')
    .argument('<program...>', 'after --: the program and its arguments')
    .addHelpText(
      'after',
      '\nThe exit code is the program’s, or 128 and its signal.\n\nExamples:\n  pnpm sandbox exec sb-0123456789abcdef -- ls /data',
    )
    .action(async (id: string, argv: string[], flags: ServerFlags & ProgramFlags) =>
      exitWith(told(await runOnServer(await serverOf(flags), id, argv, flags))),
    );
  verb('fork', 'forks of a sandbox that runs; prints their ids')
    .argument('<id>', 'of the sandbox')
    .option('--replicas <n>', 'how many', (text) => parseInteger('--replicas', text, 1, 64), 1)
    .addHelpText(
      'after',
      '\nA sandbox with a private volume is not forked: what it has written there would be lost.\n\nExamples:\n  pnpm --silent sandbox fork sb-0123456789abcdef --replicas 2',
    )
    .action(async (id: string, flags: ServerFlags & { readonly replicas: number }) => {
      const { replicas } = flags;
      for (const child of await (await serverOf(flags)).forkSandbox(id, { replicas })) say(child.id);
      exitWith(exitCodes.asDeclared);
    });
  verb('list', 'the sandboxes that there are')
    .addHelpText('after', '\nExamples:\n  pnpm sandbox list')
    .action(async (flags: ServerFlags) => exitWith(await list(flags)));
  verb('end', 'ends sandboxes; nothing of them is left')
    .argument('<id...>', 'of the sandboxes')
    .addHelpText('after', '\nExamples:\n  pnpm sandbox end sb-0123456789abcdef')
    .action(async (ids: string[], flags: ServerFlags) => {
      const client = await serverOf(flags);
      for (const id of ids) await client.terminate(id);
      exitWith(exitCodes.asDeclared);
    });
}
