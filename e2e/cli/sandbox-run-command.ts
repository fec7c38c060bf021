/** `pnpm sandbox run`: one program in a fork of a warm microVM, on the server of a folder or on an engine of its own. */
import { closeSync } from 'node:fs';
import type { Command } from 'commander';
import { logLevels, openLog } from '#reference/base/log.ts';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import { openEngine } from '#reference/main/open-engine.ts';
import { oneOf } from '#reference/main/process.ts';
import { servedAt } from '#reference/main/serve-sandboxes.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { type OpenedImage, openImage } from '#reference/sandbox-server/volume-folder.ts';
import { parseInteger } from './parse-values.ts';
import {
  acceleratorOf,
  addEngineOptions,
  defaultImage,
  type EngineFlags,
  leastMemoryMiB,
} from './sandbox-engine-command.ts';
import {
  addProgramOptions,
  execRequest,
  type ProgramFlags,
  pipedIn,
  runOnServer,
  told,
  write,
} from './sandbox-programs.ts';
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

export interface SandboxRunFlags extends EngineFlags, ProgramFlags {
  readonly memory: number;
  readonly volume: readonly AskedVolume[];
}

export function addSandboxRunOptions(command: Command): Command {
  return addProgramOptions(addEngineOptions(command, 'error'))
    .argument('<program...>', 'after --: the program and its arguments')
    .option(
      '--memory <MiB>',
      'of the guest',
      (text) => parseInteger('--memory', text, leastMemoryMiB, 3_072),
      512,
    )
    .option(volumeFlag, volumeFlagHelp, parseVolume, [])
    .addHelpText(
      'after',
      `
A template is built at the first run; each run is a fork of it that has passed the gate, without a network. Where
pnpm sandbox serve runs on the same folder, it is used. The exit code is the program's, or 128 and its signal.

${volumeHelp}

Examples:
  pnpm sandbox run -- node -e 'console.log(process.version)'
  echo hello | pnpm sandbox run --stdin -- cat
  pnpm sandbox run --max-processes 32 --max-memory 64 --timeout 10 -- sh -c 'node job.js'
  pnpm sandbox run --volume ./data.ext4:/data:ro --volume ./scratch.ext4:/work -- ls /data
`,
    );
}

export async function sandboxRunCommand(argv: readonly string[], flags: SandboxRunFlags): Promise<number> {
  const served = await servedAt(flags.folder);
  const run = served === null ? runInEngine : runServed(new SandboxClient(served.url, served.token));
  return told(await run(argv, flags));
}

/** Runs a program where it is told to. */
type Run = (argv: readonly string[], flags: SandboxRunFlags) => Promise<RequestEnd>;

const runServed =
  (client: SandboxClient): Run =>
  async (argv, flags) => {
    const { timeout, memory, volume } = flags;
    const octetsOf = volume.length === 0 ? () => 0 : octetsAmong(await client.images());
    const volumes = [...declaredBy(volume, octetsOf)];
    const template = await client.buildTemplate({ memoryMiB: memory, volumes });
    const { id } = await client.fork({
      ...{ template: template.id, ttlSeconds: timeout + 60, volumes: imagesOf(volume) },
    });
    try {
      return await runOnServer(client, id, argv, flags);
    } finally {
      await client.terminate(id);
    }
  };

const runInEngine: Run = async (argv, flags) => {
  const log = openLog('sandbox', oneOf('log-level', flags.logLevel, logLevels));
  // Before anything is built: what cannot be mounted is said at once.
  const images = openAll(flags.volume);
  try {
    const engine = await openEngine({
      ...{ folder: flags.folder, log, network: 'none' as const },
      ...{ bootSeconds: flags.bootSeconds, gateSeconds: flags.gateSeconds },
      accelerator: await acceleratorOf(flags.accelerator),
    });
    try {
      const volumes = declaredBy(flags.volume, (source) => images.get(source)?.octets ?? 0);
      const template = await engine.buildTemplate({
        ...(await defaultImage()),
        ...{ rootfs: null, memoryMiB: flags.memory, cpus: 1, init: [], allowProcesses: [], volumes },
      });
      const { id } = await engine.fork({
        ...{ template: template.id, network: null, secrets: [] },
        volumes: imagesOf(flags.volume).map(({ serial, image }) => ({
          serial,
          fd: images.get(image)?.fd ?? -1,
        })),
      });
      const stdin = await pipedIn(flags);
      const running = engine.exec(id, execRequest(argv, flags), (stream, octets) =>
        write(stream === 'stderr' ? 'stderr' : 'stdout', octets),
      );
      if (stdin !== null) {
        const given = running.stdin(stdin).then(() => running.stdinEnd());
        await Promise.race([given, running.ended]);
      }
      return await running.ended;
    } finally {
      await engine.close();
    }
  } finally {
    for (const { fd } of images.values()) closeSync(fd);
  }
};

/** By what they are named with. @throws CodedError `bad-volume` */
function openAll(asked: readonly AskedVolume[]): ReadonlyMap<string, OpenedImage> {
  const images = new Map<string, OpenedImage>();
  try {
    // Whoever runs it may follow links of its own.
    for (const { source } of asked)
      if (!images.has(source)) images.set(source, openImage(source, source, true));
    return images;
  } catch (error) {
    for (const { fd } of images.values()) closeSync(fd);
    throw error;
  }
}
