/**
 * KVM or TCG: a guest is booted under KVM, and whether its agent answers in time decides.
 * Invariant: a device that opens decides nothing but that there is something to try; of the probe nothing is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { channelNames } from '#reference/contract/guest-protocol.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { type GuestArtifacts, guestArtifacts } from '../../artifacts/artifacts.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import { markedEnvironment } from '../../leftovers/owner.ts';
import { qemuProgram } from './readiness.ts';

export interface ProbedAccelerator {
  readonly accelerator: Accelerator;
  /** What was seen. */
  readonly reason: string;
}

type Boot = Pick<GuestArtifacts, 'kernel' | 'initrd' | 'commandLine'>;

/** A guest under KVM answers within a second or two; one that does not run never does. */
const deadlineMs = 10_000;
const retryMs = 20;
const maxReplyLength = 4_096;

let probed: Promise<ProbedAccelerator> | undefined;

/** Probed once in a process: it costs a boot under KVM, or the deadline where KVM does not run. */
export function probeAccelerator(): Promise<ProbedAccelerator> {
  probed ??= probe();
  return probed;
}

async function probe(): Promise<ProbedAccelerator> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    return { accelerator: 'tcg', reason: `/dev/kvm does not open: ${(error as NodeJS.ErrnoException).code}` };
  }
  const startMs = performance.now();
  const failure = await bootGuest('kvm', await guestArtifacts(), deadlineMs);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  return failure === null
    ? { accelerator: 'kvm', reason: `a guest under KVM answered in ${seconds} s` }
    : { accelerator: 'tcg', reason: `/dev/kvm opens, but a guest under KVM ${failure}` };
}

/** Boots a guest and asks for a sign of life. null: it answered; else what it did instead. */
export async function bootGuest(
  accelerator: Accelerator,
  { kernel, initrd, commandLine }: Boot,
  withinMs: number,
): Promise<string | null> {
  const folder = makeLabFolder('probe');
  const child = startGuest(accelerator, { kernel, initrd, commandLine }, folder);
  const over = new AbortController();
  try {
    const failure = await Promise.race([ping(`${folder}/control`, withinMs, over.signal), endOf(child)]);
    return failure === null ? null : `${failure}; ${printed(`${folder}/console`)}`;
  } finally {
    over.abort();
    await gone(child);
    removeLabFolder(folder);
  }
}

/**
 * QEMU with a guest that nobody has spoken to: its console in `folder`, and its channels as sockets there. It ends with
 * this process.
 * @param devices further words of QEMU's
 */
export function startGuest(
  accelerator: Accelerator,
  { kernel, initrd, commandLine }: Boot,
  folder: string,
  devices: readonly string[] = [],
): ChildProcess {
  const words = [
    '-nodefaults -no-user-config -no-reboot -display none -m 512 -machine q35'.split(' '),
    ['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'max'],
    // Else a translated guest misses interrupts of its devices: see `seatsOf` of the QEMU adapter.
    ['-smp', 'cpus=1,maxcpus=2'],
    ['-kernel', kernel, '-initrd', initrd, '-append', commandLine],
    ['-serial', `file:${folder}/console`, '-device', 'virtio-serial-pci'],
    ...Object.entries(channelNames).map(([id, name]) => [
      ...['-chardev', `socket,id=${id},path=${folder}/${id},server=on,wait=off`],
      ...['-device', `virtserialport,chardev=${id},name=${name}`],
    ]),
    devices,
  ].flat();
  return spawn('setpriv', ['--pdeathsig', 'KILL', qemuProgram, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: markedEnvironment(),
  });
}

/** The last line of the guest's console that is not the kernel's. */
function printed(path: string): string {
  const text = existsSync(path) ? readFileSync(path, 'latin1').replaceAll(/[^\n -~]/g, '') : '';
  const last = text.split('\n').findLast((line) => line !== '' && !line.startsWith('['));
  return last === undefined ? 'it printed nothing' : `it printed: ${last.slice(0, 200)}`;
}

/** null when it answers. A monitor that ends closes the connection: that it ended is told elsewhere. */
async function ping(path: string, withinMs: number, over: AbortSignal): Promise<string | null> {
  const deadlineAtMs = performance.now() + withinMs;
  while (performance.now() < deadlineAtMs && !over.aborted) {
    const socket = await connected(path);
    if (socket !== null && (await answers(socket, deadlineAtMs - performance.now()))) return null;
    await pause(retryMs);
  }
  return `did not answer within ${withinMs / 1_000} s`;
}

function connected(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    // The monitor has not made it yet.
    socket.once('error', () => resolve(null));
  });
}

function answers(socket: Socket, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let reply = '';
    const timer = setTimeout(() => socket.destroy(), withinMs);
    socket.setEncoding('utf8').on('data', (text: string) => {
      reply += text;
      if (reply.includes('\n') || reply.length > maxReplyLength) socket.destroy();
    });
    // The monitor ended: its end is told elsewhere.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(reply.startsWith('{"ok":true') && reply.includes('\n'));
    });
    socket.write('{"method":"ping"}\n');
  });
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000);
    });
    child.once('error', (error) => resolve(`did not start: ${error.message}`));
    child.once('close', (code, signal) => {
      resolve(`ended with ${code ?? signal}: ${said.trim().split('\n').at(-1) ?? ''}`);
    });
  });
}

/** Killed, and waited for. */
export async function gone(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}
