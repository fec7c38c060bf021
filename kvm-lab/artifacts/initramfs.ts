/**
 * A guest's first root: busybox, Node with its libraries, the modules of one kernel, and an agent as PID 1.
 * Invariant: its octets follow from the lock file and this repository's sources alone: the same of both, the same
 * digest.
 */
import { type ArchiveEntry, newcArchive } from '#reference/base/newc-archive.ts';
import { application, applicationManifest, builtName, koffiLoader, koffiManifest } from './application.ts';
import { unpacked } from './debian-package.ts';
import { initScript, mountPoints } from './init-script.ts';
import { readModule } from './kernel-module.ts';
import { type Lock, type LockedModules, type LockedPackage, readPinned } from './lock.ts';
import { koffiPath, loadedPart, nodePath } from './native-files.ts';
import type { Say } from './run-step.ts';

const applicationRoot = 'app';
/** Where packages of Debian have what a guest has elsewhere, or by another name. */
const renamed: Readonly<Record<string, string>> = {
  'usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30': 'lib/x86_64-linux-gnu/libstdc++.so.6',
};
/** The archive, in chunks. @param loaded whose modules are loaded, in this order */
export async function initramfs(
  lock: Lock,
  loaded: readonly LockedModules[],
  main: string,
  say: Say,
): Promise<Uint8Array[]> {
  const modules = (await Promise.all(loaded.map((one) => modulesOf(one, say)))).flat();
  const script = initScript(
    modules.map(({ name }) => `/${name}`),
    `/${applicationRoot}/${builtName(main)}`,
  );
  const programs = await Promise.all(lock.packages.map((locked) => filesOf(locked, say)));
  const files: ArchiveEntry[] = [
    ...modules,
    ...programs.flat(),
    file('init', 0o755, Buffer.from(script)),
    file('bin/node', 0o755, loadedPart(readPinned(nodePath(), lock.native.node, 'node'))),
    ...applicationFiles(lock, main),
    {
      kind: 'link',
      name: 'lib64/ld-linux-x86-64.so.2',
      target: '/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    },
    ...lock.applets.map((name) => ({ kind: 'link' as const, name: `bin/${name}`, target: 'busybox' })),
    { kind: 'link', name: 'usr/bin/env', target: '/bin/busybox' },
    // Before devtmpfs is there, what the kernel gives to init as its console.
    { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    file('etc/passwd', 0o644, Buffer.from('root:x:0:0:root:/:/bin/sh\n')),
    file('etc/group', 0o644, Buffer.from('root:x:0:\n')),
    file('etc/hosts', 0o644, Buffer.from('127.0.0.1 localhost\n::1 localhost\n')),
  ];
  return newcArchive([...foldersOf(files, mountPoints), ...files]);
}

function file(name: string, mode: number, data: Uint8Array): ArchiveEntry & { kind: 'file' } {
  return { kind: 'file', name, mode, data };
}

async function modulesOf(kernel: LockedModules, say: Say) {
  const folder = await unpacked(kernel, say);
  return kernel.modules.map((path) => {
    const packed = readPinned(`${folder}/${path}`, kernel.files[path], `${kernel.package}: ${path}`);
    return file(path.replace(/\.xz$/, ''), 0o644, readModule(path, packed).data);
  });
}

async function filesOf(locked: LockedPackage, say: Say): Promise<ArchiveEntry[]> {
  const folder = await unpacked(locked, say);
  return Object.entries(locked.files).map(([path, digest]) =>
    file(renamed[path] ?? path, 0o755, readPinned(`${folder}/${path}`, digest, `${locked.package}: ${path}`)),
  );
}

function applicationFiles(lock: Lock, main: string): ArchiveEntry[] {
  const koffi = `${applicationRoot}/node_modules/koffi`;
  return [
    ...Object.entries(application(main)).map(([path, text]) =>
      file(`${applicationRoot}/${path}`, 0o644, Buffer.from(text)),
    ),
    file(`${applicationRoot}/package.json`, 0o644, Buffer.from(applicationManifest)),
    file(`${koffi}/koffi.node`, 0o755, readPinned(koffiPath(), lock.native.koffi, 'koffi')),
    file(`${koffi}/koffi.js`, 0o644, Buffer.from(koffiLoader)),
    file(`${koffi}/package.json`, 0o644, Buffer.from(koffiManifest)),
  ];
}

/** Every folder that something is in, and those that are wanted empty. */
function foldersOf(files: readonly ArchiveEntry[], empty: readonly string[]): ArchiveEntry[] {
  const names = new Set(empty);
  for (const { name } of files) {
    const parts = name.split('/').slice(0, -1);
    for (const [index] of parts.entries()) names.add(parts.slice(0, index + 1).join('/'));
  }
  return [...names].map((name) => ({ kind: 'folder', name, mode: name === 'tmp' ? 0o1777 : 0o755 }));
}
