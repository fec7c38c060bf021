/**
 * The adapter of Firecracker does what every VMM does, against a stand-in that holds its requests to the published API
 * description. What a real Firecracker does with them is not shown here: unsupported(no firecracker binary).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import type { SealedFile, VmEnd } from '#reference/contract/vmm-port.ts';
import type { Launcher } from '../confinement/confined-launcher.ts';
import { refusalOf } from '../contract-talk.ts';
import { hashSealed } from '../sealed-files.ts';
import { vmmPortContract } from '../vmm-port-contract.ts';
import { openConfinedFirecracker } from './confined-firecracker.ts';
import { openFirecracker } from './firecracker.ts';

const command = [process.execPath, fileURLToPath(new URL('./stand-in.ts', import.meta.url))];

const standInDeadlineMs = 60_000;

/** The stand-in is a script: it needs more of the disk than a VMM may open. */
function launcher(): Launcher {
  const pids = new Set<() => void>();
  return {
    launch: async ([file = '', ...parameters], fds, _limits, folder) => {
      const child = spawn(file, parameters, { stdio: ['ignore', ...fds], cwd: folder, env: {} });
      const { promise, resolve } = Promise.withResolvers<VmEnd>();
      child.once('exit', (code, signal) => resolve({ kind: 'exited', code, signal }));
      const kill = () => void child.kill('SIGKILL');
      pids.add(kill);
      return { pid: child.pid as number, ended: promise, kill };
    },
    close: async () => {
      for (const kill of pids) kill();
    },
  };
}

/** Taps are for confined-firecracker.kernel.test.ts. */
const noNetwork = async (): Promise<Launcher> => {
  throw new Error('no VM of these tests has an eth0');
};

async function image(text: string): Promise<SealedFile> {
  const fd = createMemfd('image');
  writeSync(fd, text);
  seal(fd);
  return hashSealed(fd);
}

const machine = { memoryMiB: 8, cpus: 1, cpuModel: 'None', guestMac: null, generationId: 'fresh' } as const;

async function ground() {
  const runFolder = mkdtempSync(join(tmpdir(), 'fc-'));
  const open = () =>
    openFirecracker({
      ...{ command, launcher: launcher(), launcherIn: noNetwork, runFolder },
      startDeadlineMs: standInDeadlineMs,
    });
  const vmm = await open();
  return {
    vmm,
    another: open,
    spec: {
      machine,
      kernel: await image('kernel'),
      initrd: await image('initrd'),
      commandLine: 'console=ttyS0',
      place: { tapFd: null },
    },
    hasWitness: true,
    hasVolumes: false,
    isThere: (pid: number) => existsSync(`/proc/${pid}`),
    close: async () => {
      await vmm.close();
      rmSync(runFolder, { recursive: true });
    },
  };
}

vmmPortContract(ground);

test('a machine that Firecracker has no request for is refused', async () => {
  const { vmm, spec, close } = await ground();
  for (const differing of [{ generationId: 'none' as const }, { isDeterministic: true as const }]) {
    const refusal = await refusalOf(vmm.boot({ ...spec, machine: { ...machine, ...differing } }));
    expect(refusal.code).toBe('bad-machine');
  }
  expect((await refusalOf(vmm.boot({ ...spec, place: { tapFd: 0 } }))).code).toBe('bad-machine');
  const { code, message } = await refusalOf(vmm.boot({ ...spec, machine: { ...machine, cpuModel: 'T9' } }));
  expect(code).toBe('vmm-failed');
  expect(message).toMatch(
    /^PUT \/machine-config: 400: An error occurred when deserializing .*allowed values/,
  );
  await close();
});

test('without Firecracker there is no adapter', async () => {
  const confined = openConfinedFirecracker({ runFolder: tmpdir(), binary: '/nowhere/firecracker' });
  expect((await refusalOf(confined)).code).toBe('no-firecracker');
  const options = { launcher: launcher(), launcherIn: noNetwork, runFolder: tmpdir() };
  for (const none of [['/nowhere/firecracker'], ['/usr/bin/true']]) {
    expect((await refusalOf(openFirecracker({ ...options, command: none }))).code).toBe('no-firecracker');
  }
});
