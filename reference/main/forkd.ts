/**
 * The process of a node's fork engine: flags → wiring → run. Takes away what a killed one left, builds the templates of
 * a file, keeps forks of them prepared; ends with SIGTERM, and its VMs with it.
 */
import { readFileSync } from 'node:fs';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import type { TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import { accelerators, networkModes, openEngine } from './open-engine.ts';
import { badFlag, failProcess, oneOf, readFlags, signalled } from './process.ts';

const help = `Usage: node reference/main/forkd.ts --folder PATH [flags]

Builds templates and keeps forks of them prepared. Says each on stdout, a line of JSON each, then {"ready":true}.

  --folder PATH         templates, witnesses, journal: made with mode 0700
  --templates FILE      JSON: [{"spec": {kernel, initrd, commandLine, rootfs, memoryMiB, cpus, init,
                        allowProcesses}, "ready": N}]
  --storage-key FILE    encrypts templates on the disk with the key in it: 32 octets or 64 hexadecimal digits, in a
                        file of mode 0600, or fd:N for a descriptor
  --accelerator NAME    ${accelerators.join(', ')} (tcg)
  --network MODE        ${networkModes.join(', ')} (auto): a namespace, datapath and resolver for each sandbox; needs root
  --log-level LEVEL     ${logLevels.join(', ')}
`;

const options = {
  folder: { type: 'string' },
  templates: { type: 'string' },
  'storage-key': { type: 'string' },
  accelerator: { type: 'string', default: 'tcg' },
  network: { type: 'string', default: 'auto' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', default: false },
} as const;

interface Wanted {
  readonly spec: TemplateSpec;
  readonly ready: number;
}

function wantedIn(path: string | undefined): readonly Wanted[] {
  if (path === undefined) return [];
  try {
    const wanted: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (Array.isArray(wanted)) return wanted as Wanted[];
  } catch (cause) {
    throw badFlag(`--templates ${path}: it cannot be read as JSON`, cause);
  }
  throw badFlag(`--templates ${path}: it is no list`);
}

async function run(): Promise<void> {
  const flags = readFlags(options);
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  if (flags.folder === undefined) throw badFlag('--folder is missing');
  const level: LogLevel = oneOf('log-level', flags['log-level'], logLevels);
  const wanted = wantedIn(flags.templates);
  const engine = await openEngine({
    folder: flags.folder,
    accelerator: oneOf('accelerator', flags.accelerator, accelerators),
    network: oneOf('network', flags.network, networkModes),
    log: openLog('forkd', level),
    ...(flags['storage-key'] === undefined ? {} : { storageKeyFile: flags['storage-key'] }),
  });
  const over = signalled();
  try {
    for (const { spec, ready } of wanted) {
      const template = await engine.buildTemplate(spec);
      await engine.keepReady(template.id, ready);
      process.stdout.write(`${JSON.stringify({ template, ready })}\n`);
    }
    process.stdout.write('{"ready":true}\n');
    await over;
  } finally {
    await engine.close();
  }
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('forkd', error),
);
