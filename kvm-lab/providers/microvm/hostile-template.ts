/**
 * The template of the lab's guests: the honest agent's image with a hostile root in it, booted, frozen and saved once.
 * Invariant: a stored snapshot is used only under the digest of all that it was made of, this machine's processor
 * included where guests run on it directly; whoever comes while it is being made waits for it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { lockFile } from '#reference/base/file-lock.ts';
import type { ArchiveEntry } from '#reference/base/newc-archive.ts';
import { close, SyscallError } from '#reference/base/syscalls.ts';
import type { InitRequest } from '#reference/contract/guest-protocol.ts';
import type { LoadedSnapshot, Machine, VmmPort } from '#reference/contract/vmm-port.ts';
import { digestOf, layerOver } from '#reference/forkd/rootfs-layer.ts';
import { warmAndSave } from '#reference/forkd/warm-guest.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { application, builtName } from '../../artifacts/application.ts';
import { guestArtifacts } from '../../artifacts/artifacts.ts';
import { cacheFolder } from '../../artifacts/cache-folder.ts';
import { hostileComm, pipes } from '../../guests/hostile-names.ts';
import { guest } from '../topology.ts';

const main = 'kvm-lab/guests/hostile-root.ts';
const keptIn = 'snapshots';
const digestSuffix = '.digest';
const maxKept = 4;
const keepAtLeastMs = 3_600_000;
const waitDeadlineMs = 180_000;
const retryMs = 100;
const initTimeoutMs = 60_000;
const memoryMiB = 512;

const init: readonly InitRequest[] = [
  {
    argv: ['/bin/node', '--disable-warning=ExperimentalWarning', `/app/${builtName(main)}`],
    timeout_ms: initTimeoutMs,
    background: true,
  },
  {
    argv: ['/bin/sh', '-c', `until [ -e ${pipes.ready} ]; do sleep 0.05; done`],
    timeout_ms: initTimeoutMs,
  },
];

/** @throws CodedError as of artifacts and of the VMM */
export async function hostileSnapshot(vmm: VmmPort): Promise<LoadedSnapshot> {
  const artifacts = await guestArtifacts();
  const layer = layerOf(application(main));
  const machine: Machine = {
    memoryMiB,
    cpus: 1,
    cpuModel: vmm.accelerator === 'kvm' ? 'host' : 'max',
    guestMac: guest.guestMac,
    generationId: 'fresh',
  };
  const said = vmm.argumentsOf(machine);
  const made = [vmm.name, vmm.version, vmm.accelerator, machine, said, artifacts, digestOf(layer), init];
  const id = createHash('sha256')
    .update(JSON.stringify([...made, processor(vmm)]))
    .digest('hex');
  return once(id, vmm, async () => {
    const kernel = await openVerified(policyOf(artifacts.kernel, artifacts.kernelSha256));
    const plain = await openVerified(policyOf(artifacts.initrd, artifacts.initrdSha256));
    const initrd = await layerOver(plain, layer);
    try {
      const place = { tapFd: null };
      const { commandLine } = artifacts;
      const vm = await vmm.boot({ machine, kernel, initrd, commandLine, place });
      return await warmAndSave(vm, { init, allowProcesses: [{ comm: hostileComm }] });
    } finally {
      for (const { fd } of [kernel, plain, initrd]) close(fd);
    }
  });
}

/** Folders first, each before what is in it. */
function layerOf(modules: Readonly<Record<string, string>>): ArchiveEntry[] {
  const names = Object.keys(modules).flatMap((path) => {
    const parts = `app/${path}`.split('/').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [
    ...[...new Set(names)].toSorted().map((name) => ({ kind: 'folder' as const, name, mode: 0o755 })),
    ...Object.entries(modules).map(([path, text]) => ({
      ...{ kind: 'file' as const, name: `app/${path}`, mode: 0o644, data: Buffer.from(text) },
    })),
  ];
}

const policyOf = (destination: string, sha256: string) => ({ destination, sha256, allowUnverified: false });

/** What runs a guest directly is part of it: another processor has other features. */
function processor({ accelerator }: VmmPort): string {
  if (accelerator !== 'kvm') return '';
  const lines = readFileSync('/proc/cpuinfo', 'utf8').split('\n');
  return lines
    .filter((line) => /^(model name|microcode|flags)/.test(line))
    .slice(0, 3)
    .join('\n');
}

/** What is stored under that id, or what is built now, and stored then. */
async function once(id: string, vmm: VmmPort, build: () => Promise<LoadedSnapshot>): Promise<LoadedSnapshot> {
  const folder = `${cacheFolder()}/${keptIn}`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/${id}`;
  const there = await load(vmm, path);
  if (there !== null) return there;
  const lock = await locked(`${folder}/lock`);
  try {
    const meanwhile = await load(vmm, path);
    if (meanwhile !== null) return meanwhile;
    removeOldest(folder);
    const snapshot = await build();
    // What an earlier process could not finish is nobody's.
    rmSync(path, { recursive: true, force: true });
    await vmm.store(snapshot, path);
    writeFileSync(`${path}${digestSuffix}`, `${snapshot.digest}\n`, { mode: 0o600 });
    return snapshot;
  } finally {
    close(lock);
  }
}

/** null: it is not there. */
async function load(vmm: VmmPort, path: string): Promise<LoadedSnapshot | null> {
  let digest: string;
  try {
    digest = readFileSync(`${path}${digestSuffix}`, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return vmm.load(path, digest);
}

/** Those that nobody can be about to load. */
function removeOldest(folder: string): void {
  const stored = readdirSync(folder)
    .filter((name) => name.endsWith(digestSuffix))
    .map((name) => ({ path: `${folder}/${name}`, atMs: statSync(`${folder}/${name}`).mtimeMs }))
    .toSorted((one, other) => other.atMs - one.atMs);
  for (const { path, atMs } of stored.slice(maxKept - 1)) {
    if (Date.now() - atMs < keepAtLeastMs) continue;
    rmSync(path);
    rmSync(path.slice(0, -digestSuffix.length), { recursive: true, force: true });
  }
}

async function locked(path: string): Promise<number> {
  const until = performance.now() + waitDeadlineMs;
  for (;;) {
    try {
      return lockFile(path);
    } catch (error) {
      if (!(error instanceof SyscallError) || performance.now() > until) throw error;
      await pause(retryMs);
    }
  }
}
