/**
 * Ground for tests of a confined Firecracker: the stand-in, started as the program would be, and taps of a datapath.
 * Invariant: what it makes is in namespaces of its own, and a device node that other uids may open in mounts of its
 * own; its runner has made the first.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readlinkSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { makePrivateNamespace, type PrivateNamespace } from '#reference/base/private-namespace.ts';
import { close } from '#reference/base/syscalls.ts';
import type { BootSpec, Machine, SealedFile, VmmPort } from '#reference/contract/vmm-port.ts';
import { launchPrograms } from '../confinement/confined-launcher.ts';
import type { OpenPaths } from '../confinement/landlock.ts';
import type { DeviceAccess } from '../confinement/privileges.ts';
import { hashSealed } from '../sealed-files.ts';
import { openLaunchers } from './confined-firecracker.ts';
import { openFirecracker } from './firecracker.ts';
import { createTap } from './tap-device.ts';

const tun = '/dev/net/tun';
const startDeadlineMs = 60_000;
const repository = fileURLToPath(new URL('../../../', import.meta.url));
/** Where it is seen by other uids, whatever folder it was cloned into: in mounts of this run's own. */
const shown = showRepository();
const node = inShown(process.execPath);
const standIn = inShown(fileURLToPath(new URL('./stand-in.ts', import.meta.url)));
const loader = '/lib64/ld-linux-x86-64.so.2';
export const perl = '/usr/bin/perl';
/** KVM is no device of the stand-in's. */
export const noDevice: DeviceAccess = { byOthers: true, groups: [] };

function showRepository(): string {
  const bind = ['--bind', repository, '/mnt'];
  const isBound =
    process.env.OWN_MOUNTS === '1' && spawnSync('mount', bind, { stdio: 'ignore' }).status === 0;
  return isBound ? '/mnt/' : repository;
}

function inShown(path: string): string {
  return path.startsWith(repository) ? `${shown}${path.slice(repository.length)}` : path;
}

/** A script needs more of the disk than the program does, and may open nothing else. */
export const scriptPaths = (runFolder: string): OpenPaths => ({
  programs: [...launchPrograms, node, perl, loader],
  readable: [shown, '/usr/lib', '/etc/ld.so.cache', '/etc/ssl'],
  writable: ['/dev/null'],
  sockets: [runFolder],
});

/**
 * As most systems have it: /dev/net/tun for all. Where no device node can be made it stays as it is, and VMs with a
 * tap have the uid of whoever starts them.
 */
export function openTunToAll(): boolean {
  if ((statSync(tun).mode & 0o006) === 0o006) return true;
  if (process.env.OWN_MOUNTS !== '1') return false;
  const steps = [
    ['mount', '-t', 'tmpfs', 'tmpfs', '/dev/net'],
    ['mknod', '-m', '666', tun, 'c', '10', '200'],
  ];
  if (steps.every(([name = '', ...words]) => spawnSync(name, words, { stdio: 'ignore' }).status === 0))
    return true;
  spawnSync('umount', ['/dev/net'], { stdio: 'ignore' });
  return false;
}

export function makeRunFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fc-'));
  // Others may pass through to what is theirs.
  chmodSync(folder, 0o711);
  return folder;
}

export async function openStandIn(runFolder: string): Promise<VmmPort> {
  const launchers = await openLaunchers(scriptPaths(runFolder), noDevice);
  return openFirecracker({ command: [node, standIn], ...launchers, runFolder, startDeadlineMs });
}

/** Node reserves half a GiB of what its data may be, used or not. */
export const machine: Machine = {
  ...{ memoryMiB: 512, cpus: 1, cpuModel: 'None', guestMac: '02:00:00:00:00:02', generationId: 'fresh' },
};

async function image(text: string): Promise<SealedFile> {
  const fd = createMemfd('image');
  writeSync(fd, text);
  seal(fd);
  return hashSealed(fd);
}

export async function bootSpec(): Promise<BootSpec> {
  const [kernel, initrd] = [await image('kernel'), await image('initrd')];
  return { machine, kernel, initrd, commandLine: 'console=ttyS0', place: { tapFd: null } };
}

/** A tap as a datapath hands one over, in a network namespace of its own. */
export class HandedTap {
  readonly fd: number;
  readonly #place: PrivateNamespace;

  constructor(name: string) {
    this.#place = makePrivateNamespace();
    this.fd = this.#place.namespace.within(() => createTap(name));
  }

  get networkFd(): number {
    return this.#place.fd;
  }

  /** As /proc/PID/ns/net is. */
  get network(): string {
    return readlinkSync(this.#place.path);
  }

  /** What a program says that is started in there. */
  run(...words: string[]): string {
    const enter = ['nsenter', `--net=/proc/${process.pid}/fd/${this.#place.fd}`];
    const [name = '', ...parameters] = [...enter, ...words];
    return execFileSync(name, parameters, { encoding: 'utf8' });
  }

  /** Names of its interfaces. */
  links(): string[] {
    const shown = JSON.parse(this.run('ip', '-j', 'link')) as { readonly ifname: string }[];
    return shown.map(({ ifname }) => ifname);
  }

  create(name: string): number {
    return this.#place.namespace.within(() => createTap(name));
  }

  close(): void {
    close(this.fd);
    this.#place.close();
  }
}

export const removeRunFolder = (folder: string) => rmSync(folder, { recursive: true });
