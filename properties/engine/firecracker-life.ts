/**
 * One life of a VM of Firecracker's adapter against the stand-in, in a process of its own, with a mistake planted in
 * the adapter: boots, saves, forks, asks the fork, and says `lived`, or what was refused.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import type { BootSpec, RunningVm, VmEnd } from '#reference/contract/vmm-port.ts';
import type { Launcher } from '#reference/vmm/confinement/confined-launcher.ts';
import { type Patch, plant } from '../matrix/patch-source.ts';

const answerMs = 5_000;
const standIn = fileURLToPath(new URL('../../reference/vmm/firecracker/stand-in.ts', import.meta.url));

const launcher: Launcher = {
  launch: async ([file = '', ...parameters], fds, _limits, folder) => {
    const child = spawn(file, parameters, { stdio: ['ignore', ...fds], cwd: folder, env: {} });
    const { promise, resolve } = Promise.withResolvers<VmEnd>();
    child.once('exit', (code, signal) => resolve({ kind: 'exited', code, signal }));
    return { pid: child.pid as number, ended: promise, kill: () => void child.kill('SIGKILL') };
  },
  close: async () => undefined,
};

const [, , planted = 'null'] = process.argv;
const patch = JSON.parse(planted) as Patch | null;
if (patch !== null) plant(patch);
const { openFirecracker } = await import('#reference/vmm/firecracker/firecracker.ts');
const { hashSealed } = await import('#reference/vmm/sealed-files.ts');

async function image(text: string) {
  const fd = createMemfd('image');
  writeSync(fd, text);
  seal(fd);
  return hashSealed(fd);
}

async function ask(vm: RunningVm, line: string): Promise<string> {
  const stream = vm.channel('control');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error(`no answer to ${line}`)), answerMs);
  stream.once('data', (octets: Buffer) => resolve(octets.toString().trim()));
  stream.once('close', () => reject(new Error('the channel was closed')));
  stream.write(`${line}\n`);
  return promise.finally(() => clearTimeout(timer));
}

async function live(runFolder: string): Promise<string> {
  const vmm = await openFirecracker({
    ...{ command: [process.execPath, standIn], launcher, launcherIn: async () => launcher, runFolder },
    startDeadlineMs: 60_000,
  });
  try {
    const spec: BootSpec = {
      machine: { memoryMiB: 8, cpus: 1, cpuModel: 'None', guestMac: null, generationId: 'fresh' },
      ...{ kernel: await image('kernel'), initrd: await image('initrd'), commandLine: 'console=ttyS0' },
      place: { tapFd: null },
    };
    const template = await vmm.boot(spec);
    await ask(template, 'remember template');
    const symbol = await ask(template, 'symbol');
    const guest = {
      protocolVersions: [1],
      kernelRelease: await ask(template, 'release'),
      generatorSymbol: symbol,
    };
    const snapshot = await template.save(guest);
    const fork = await (await vmm.prepare(snapshot, { tapFd: null })).resume();
    if ((await ask(fork, 'recall')) !== 'template') return 'the fork is of another template';
    const before = await fork.generator();
    await ask(fork, 'reseed');
    const after = await fork.generator();
    return before === null || before.keySha256 === after?.keySha256 ? 'the generator is not seen' : 'lived';
  } finally {
    await vmm.close();
  }
}

const runFolder = mkdtempSync(join(tmpdir(), 'fc-'));
const said = await live(runFolder).catch((error: unknown) =>
  error instanceof Error ? error.message : String(error),
);
rmSync(runFolder, { recursive: true });
console.log(said);
process.exit();
