/** `pnpm sandbox serve`: forked microVMs for one user of one machine; and what its verbs say of the engine. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { type LogLevel, logLevels, openLog } from '#reference/base/log.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { accelerators, networkModes } from '#reference/main/open-engine.ts';
import { oneOf, signalled } from '#reference/main/process.ts';
import { serveSandboxes } from '#reference/main/serve-sandboxes.ts';
import type { GuestImage } from '#reference/sandbox-server/routes.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

/** In which the guest that is built here boots. */
export const leastMemoryMiB = 448;

export interface EngineFlags {
  readonly folder: string;
  readonly accelerator: string;
  readonly bootSeconds: number;
  readonly gateSeconds: number;
  readonly logLevel: string;
}

export interface SandboxServeFlags extends EngineFlags {
  readonly host: string;
  readonly port: number;
  readonly rootfsFolder?: string;
  readonly volumes?: string;
  readonly maxVms: number;
  readonly maxStateMib: number;
  readonly network: string;
}

export function stateFolder(): string {
  const { XDG_STATE_HOME } = process.env;
  const base = XDG_STATE_HOME?.startsWith('/') === true ? XDG_STATE_HOME : join(homedir(), '.local/state');
  return join(base, 'huskproof/sandbox');
}

export function addEngineOptions(command: Command, logLevel: LogLevel): Command {
  return command
    .option('--folder <path>', 'templates, witnesses, journal and token', stateFolder())
    .option('--accelerator <name>', `auto: whatever a probe boot shows; ${accelerators.join(', ')}`, 'auto')
    .option(
      '--boot-seconds <n>',
      'until a template’s agent answers: more on a slow machine',
      (text) => parseInteger('--boot-seconds', text, 1, 3_600),
      90,
    )
    .option(
      '--gate-seconds <n>',
      'of each leg of the gate: more on a slow machine',
      (text) => parseInteger('--gate-seconds', text, 1, 600),
      5,
    )
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
    .option('--volumes <path>', 'images in it can be given to sandboxes as volumes, by name')
    .option(
      '--max-vms <n>',
      'at once, prepared ones and builds included',
      (text) => parseInteger('--max-vms', text, 1, 4_096),
      128,
    )
    .option(
      '--max-state-mib <n>',
      'of the disk, for templates and what guests may write to private volumes',
      (text) => parseInteger('--max-state-mib', text, 1, 1 << 30),
      65_536,
    )
    .addHelpText(
      'after',
      `
The API is described at /openapi.json; every request but /healthz needs the token in FOLDER/token. exec answers lines
of JSON (NDJSON). SIGTERM ends the server and its sandboxes.

Examples:
  pnpm sandbox serve
  pnpm sandbox serve --volumes ./images
  curl -H "Authorization: Bearer $(cat ~/.local/state/huskproof/sandbox/token)" -d '{}' \\
    -H 'content-type: application/json' http://127.0.0.1:7070/v1/templates
${exitCodesHelp}`,
    );
}

export async function acceleratorOf(flag: string): Promise<Accelerator> {
  if (flag !== 'auto') return oneOf('accelerator', flag, accelerators);
  const { accelerator, reason } = await probeAccelerator();
  process.stderr.write(`${accelerator}: ${reason}\n`);
  return accelerator;
}

export async function defaultImage(): Promise<GuestImage> {
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
    volumesFolder: flags.volumes ?? null,
    bootSeconds: flags.bootSeconds,
    gateSeconds: flags.gateSeconds,
    maxVms: flags.maxVms,
    maxStateMiB: flags.maxStateMib,
    host: flags.host,
    port: flags.port,
    log: openLog('sandbox-server', level),
  });
  process.stdout.write(`serving ${served.url}; the token is in ${served.tokenFile}\n`);
  await signalled();
  await served.close();
  return exitCodes.asDeclared;
}
