/** `pnpm sandbox serve` and `pnpm sandbox run`: forked microVMs for one user of one machine. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { accelerators, networkModes, openEngine } from '#reference/main/open-engine.ts';
import { oneOf, signalled } from '#reference/main/process.ts';
import { servedAt, serveSandboxes } from '#reference/main/serve-sandboxes.ts';
import type { GuestImage } from '#reference/sandbox-server/routes.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

interface EngineFlags {
  readonly folder: string;
  readonly accelerator: string;
  readonly logLevel: string;
}

export interface SandboxServeFlags extends EngineFlags {
  readonly host: string;
  readonly port: number;
  readonly rootfsFolder?: string;
  readonly network: string;
}

export interface SandboxRunFlags extends EngineFlags {
  readonly timeout: number;
  readonly memory: number;
  readonly stdin?: true;
}

function stateFolder(): string {
  const { XDG_STATE_HOME } = process.env;
  const base = XDG_STATE_HOME?.startsWith('/') === true ? XDG_STATE_HOME : join(homedir(), '.local/state');
  return join(base, 'huskproof/sandbox');
}

function addEngineOptions(command: Command, logLevel: LogLevel): Command {
  return command
    .option('--folder <path>', 'templates, witnesses, journal and token', stateFolder())
    .option('--accelerator <name>', `auto: whatever a probe boot shows; ${accelerators.join(', ')}`, 'auto')
    .option('--log-level <level>', logLevels.join(', '), logLevel);
}

export function addSandboxServeOptions(command: Command): Command {
  return addEngineOptions(command, 'info')
    .option('--host <address>', 'a loopback address', '127.0.0.1')
    .option(
      '--port <n>',
      'of TCP; 0 takes a free one',
      (text) => parseInteger('--port', text, 0, 65_535),
      7_070,
    )
    .option(
      '--network <mode>',
      `${networkModes.join(', ')}: of sandboxes that ask for one; needs root`,
      'auto',
    )
    .option('--rootfs-folder <path>', 'folders in it can be put over the image, by name')
    .addHelpText(
      'after',
      `
The API is described at /openapi.json; every request but /healthz needs the token in FOLDER/token. exec answers lines
of JSON (NDJSON). SIGTERM ends the server and its sandboxes.

Examples:
  pnpm sandbox serve
  curl -H "Authorization: Bearer $(cat ~/.local/state/huskproof/sandbox/token)" -d '{}' \\
    -H 'content-type: application/json' http://127.0.0.1:7070/v1/templates
${exitCodesHelp}`,
    );
}

export function addSandboxRunOptions(command: Command): Command {
  return addEngineOptions(command, 'error')
    .argument('<program...>', 'after --: the program and its arguments')
    .option(
      '--timeout <seconds>',
      'then it is killed, with exit code 124',
      (text) => parseInteger('--timeout', text, 1, 3_600),
      60,
    )
    .option('--memory <MiB>', 'of the guest', (text) => parseInteger('--memory', text, 256, 3_072), 512)
    .option('--stdin', 'pass on what comes on stdin, up to its end')
    .addHelpText(
      'after',
      `
A template is built at the first run; each run is a fork of it that has passed the gate, without a network. Where
pnpm sandbox serve runs on the same folder, it is used. The exit code is the program's, or 128 and its signal.

Examples:
  pnpm sandbox run -- node -e 'console.log(process.version)'
  echo hello | pnpm sandbox run --stdin -- cat
`,
    );
}

async function acceleratorOf(flag: string): Promise<Accelerator> {
  if (flag !== 'auto') return oneOf('accelerator', flag, accelerators);
  const { accelerator, reason } = await probeAccelerator();
  process.stderr.write(`${accelerator}: ${reason}\n`);
  return accelerator;
}

async function defaultImage(): Promise<GuestImage> {
  const artifacts = await guestArtifacts(undefined, 'honest', (text) => process.stderr.write(`${text}\n`));
  const { kernel, kernelSha256, initrd, initrdSha256, commandLine } = artifacts;
  return {
    kernel: { path: kernel, sha256: kernelSha256 },
    initrd: { path: initrd, sha256: initrdSha256 },
    commandLine,
  };
}

/** Ends with SIGTERM or SIGINT. */
export async function sandboxServeCommand(flags: SandboxServeFlags): Promise<number> {
  const level = oneOf('log-level', flags.logLevel, logLevels);
  const served = await serveSandboxes({
    folder: flags.folder,
    accelerator: await acceleratorOf(flags.accelerator),
    images: { default: await defaultImage() },
    network: oneOf('network', flags.network, networkModes),
    rootfsFolder: flags.rootfsFolder ?? null,
    host: flags.host,
    port: flags.port,
    log: openLog('sandbox-server', level),
  });
  process.stdout.write(`serving ${served.url}; the token is in ${served.tokenFile}\n`);
  await signalled();
  await served.close();
  return exitCodes.asDeclared;
}

/** Runs a program where it is told to, and writes what it says as it comes. */
type Run = (argv: readonly string[], flags: SandboxRunFlags) => Promise<RequestEnd>;

export async function sandboxRunCommand(argv: readonly string[], flags: SandboxRunFlags): Promise<number> {
  const served = await servedAt(flags.folder);
  const run = served === null ? runInEngine : runOnServer(new SandboxClient(served.url, served.token));
  const end = await run(argv, flags);
  if (end.error !== undefined)
    process.stderr.write(`huskproof: ${end.error.replace(/[^\x20-\x7e]/g, '?')}\n`);
  return exitCodeOf(end);
}

const runOnServer =
  (client: SandboxClient): Run =>
  async (argv, flags) => {
    const { timeout, memory } = flags;
    const template = await client.buildTemplate({ memoryMiB: memory });
    const { id } = await client.fork({ template: template.id, ttlSeconds: timeout + 60 });
    try {
      const stdin = await pipedIn(flags);
      const body = {
        argv: [...argv],
        timeoutMs: timeout * 1_000,
        ...(stdin === null ? {} : { stdin: stdin.toString('base64') }),
      };
      for await (const event of client.exec(id, body)) {
        if ('end' in event) return event.end;
        await write(event.stream, event.octets);
      }
      return { ok: false, error: 'the server ended it' };
    } finally {
      await client.terminate(id);
    }
  };

const runInEngine: Run = async (argv, flags) => {
  const log = openLog('sandbox', oneOf('log-level', flags.logLevel, logLevels));
  const engine = await openEngine({
    ...{ folder: flags.folder, log, network: 'none' as const },
    accelerator: await acceleratorOf(flags.accelerator),
  });
  try {
    const template = await engine.buildTemplate({
      ...(await defaultImage()),
      ...{ rootfs: null, memoryMiB: flags.memory, cpus: 1, init: [], allowProcesses: [] },
    });
    const { id } = await engine.fork({ template: template.id, network: null, secrets: [] });
    const stdin = await pipedIn(flags);
    const running = engine.exec(
      id,
      {
        ...{ argv, timeout_ms: flags.timeout * 1_000, max_output_octets: 1 << 30 },
        ...(stdin === null ? {} : { stdin: true }),
      },
      (stream, octets) => write(stream === 'stderr' ? 'stderr' : 'stdout', octets),
    );
    if (stdin !== null) {
      const given = running.stdin(stdin).then(() => running.stdinEnd());
      await Promise.race([given, running.ended]);
    }
    return await running.ended;
  } finally {
    await engine.close();
  }
};

/** null: nothing is passed on. */
async function pipedIn({ stdin }: SandboxRunFlags): Promise<Buffer | null> {
  if (stdin !== true) return null;
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of process.stdin) {
    octets += (chunk as Buffer).length;
    if (octets > maxInputOctets) throw new RangeError(`more than ${maxInputOctets} octets on stdin`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** What a request of the server may hold. */
const maxInputOctets = 512 << 10;

function write(stream: 'stdout' | 'stderr', octets: Uint8Array): Promise<void> {
  return new Promise((resolve) => process[stream].write(octets, () => resolve()));
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};
const timedOut = 124;
/** As a shell says of what it cannot run. */
const notStarted = 127;

function exitCodeOf({ exit_code: code, signal, timed_out: isLate }: RequestEnd): number {
  if (isLate === true) return timedOut;
  if (code !== undefined) return code;
  return signal === undefined ? notStarted : 128 + (signalNumbers[signal] ?? 0);
}
