/** `pnpm lab up|status|shell|down`: a template of microVMs that stays, and forks of it to look around in. */
import type { Socket } from 'node:net';
import type { Command } from 'commander';
import { defaultKernel } from '#kvm-lab/artifacts/artifacts.ts';
import { askLab, runningLab, startLab } from '#kvm-lab/providers/microvm/lab.ts';
import { type LabReply, type LabStatus, sendLine } from '#kvm-lab/providers/microvm/lab-lines.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import { exitCodes } from './exit-codes.ts';
import { parseGuest } from './guests-command.ts';
import { parseInteger } from './parse-values.ts';

export interface LabUpFlags {
  readonly kernel: string;
  readonly guest: string;
  readonly memory: number;
}

export interface LabStatusFlags {
  readonly json?: true;
}

export function addLabUpOptions(command: Command): Command {
  return command
    .option('--kernel <name>', 'the kernel: see artifacts.lock.json', defaultKernel)
    .option('--guest <name>', 'honest, or one that the gate refuses: pnpm lab guests', parseGuest, 'honest')
    .option('--memory <MiB>', 'of a guest', (text) => parseInteger('--memory', text, 256, 3_072), 512)
    .addHelpText(
      'after',
      '\nIt stays until pnpm lab down; its VMs end with it. pnpm lab clean takes away what is left of one that was killed.' +
        '\n\nExamples:\n  pnpm lab up\n  pnpm lab up --guest credited-only\n  pnpm lab shell\n  pnpm lab shell -- node -p process.version\n  pnpm lab down',
    );
}

export function addLabShellArguments(command: Command): Command {
  return command
    .argument('[program...]', 'after --: a program and its arguments; else sh')
    .addHelpText(
      'after',
      '\nEach is a fork of its own, which is gone afterwards. The exit code is the program’s; 130 when a signal ended it.' +
        '\n\nExamples:\n  pnpm lab shell\n  pnpm --silent lab shell -- cat /proc/sys/kernel/random/uuid',
    );
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** 0: it runs; 3: this machine has no microVMs. */
export async function labUpCommand({ kernel, guest, memory }: LabUpFlags): Promise<number> {
  const missing = microvmUnsupported();
  if (missing !== null) {
    say(`unsupported: ${missing.reason}\n  ${missing.remedy}`);
    return exitCodes.incomplete;
  }
  if (runningLab() !== null) {
    say('it is up already');
    return labStatusCommand({});
  }
  show(await startLab({ kernel, guest, memoryMiB: memory }, say));
  return exitCodes.asDeclared;
}

/** 0: it runs; 3: none does. */
export async function labStatusCommand({ json }: LabStatusFlags): Promise<number> {
  if (runningLab() === null) {
    process.stdout.write(json === true ? '{"v":1,"up":false}\n' : 'no lab is up: pnpm lab up\n');
    return exitCodes.incomplete;
  }
  await askLab({ verb: 'status' }, (reply) => {
    if (!('status' in reply)) return;
    if (json === true)
      process.stdout.write(`${JSON.stringify({ v: 1, up: true, ...reply.status }, null, 2)}\n`);
    else show(reply.status);
  });
  return exitCodes.asDeclared;
}

function show(status: LabStatus): void {
  const { kernel, guest, accelerator, reason, vmm, memoryMiB, template, buildMs, sinceMs, sandboxes, pid } =
    status;
  const minutes = Math.round((Date.now() - sinceMs) / 60_000);
  process.stdout.write(
    `up for ${minutes} min, process ${pid}\n${vmm}; ${accelerator}: ${reason}\n` +
      `template ${template.slice(0, 12)}: Linux ${kernel}, ${guest}, ${memoryMiB} MiB, built in ${(buildMs / 1_000).toFixed(1)} s\n` +
      `${sandboxes} forks of it run\n`,
  );
}

/** The exit code of the program. */
export async function labShellCommand(program: readonly string[]): Promise<number> {
  const argv = program.length === 0 ? ['sh', ...(process.stdin.isTTY ? ['-i'] : [])] : program;
  let end: RequestEnd = { ok: false };
  const take = async (reply: LabReply) => {
    if ('stream' in reply) await write(reply.stream, Buffer.from(reply.data, 'base64'));
    if ('end' in reply) ({ end } = reply);
  };
  try {
    await askLab({ verb: 'exec', argv }, take, passStdin);
  } finally {
    process.stdin.destroy();
  }
  if (end.error !== undefined) say(`huskproof: ${end.error.replace(/[^\x20-\x7e]/g, '?')}`);
  return end.exit_code ?? exitCodes.interrupted;
}

function passStdin(socket: Socket): void {
  process.stdin.on('data', (chunk: Buffer) => {
    process.stdin.pause();
    const data = chunk.toString('base64');
    void sendLine(socket, { verb: 'stdin', data }).then(() => process.stdin.resume());
  });
  process.stdin.once('end', () => void sendLine(socket, { verb: 'stdinEnd' }));
}

function write(stream: 'stdout' | 'stderr', octets: Buffer): Promise<void> {
  return new Promise((resolve) => process[stream].write(octets, () => resolve()));
}

export async function labDownCommand(): Promise<number> {
  if (runningLab() === null) {
    process.stdout.write('no lab is up\n');
    return exitCodes.asDeclared;
  }
  let isDown = false;
  await askLab({ verb: 'down' }, (reply) => {
    isDown ||= 'down' in reply;
  });
  process.stdout.write(isDown ? 'down\n' : 'it ended without a word: pnpm lab clean\n');
  return isDown ? exitCodes.asDeclared : exitCodes.differs;
}
