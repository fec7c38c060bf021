/**
 * Makes the lock file anew from what the archive has today: the newest kernels of each kind, the files that guests
 * need of them, and the modules in the order in which they load.
 */
import { readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { extract, type FetchedPackage, filesOf, withPackage } from './debian-package.ts';
import { readModule } from './kernel-module.ts';
import {
  defaultKernel,
  type Lock,
  type LockedKernel,
  type LockedModules,
  type LockedPackage,
  sha256,
} from './lock.ts';
import { koffiPath, nodePath } from './native-files.ts';
import { runStep, type Say } from './run-step.ts';

/** Kinds of kernels, and the package of Debian's that names the newest of each. */
const metapackages = {
  '6.1-cloud': 'linux-image-cloud-amd64',
  '6.1': 'linux-image-amd64',
  '6.12-cloud': 'linux-image-6.12-cloud-amd64',
} as const;

/** What a guest needs unless its kernel has it built in; what these depend on comes with them. */
const wantedModules = [
  'virtio_pci',
  'virtio_console',
  'virtio_net',
  'virtio_blk',
  'vmw_vsock_virtio_transport',
  // ext4 asks the kernel for it by the algorithm's name when it mounts: no symbol of it, so nothing depends on it.
  'crc32c_generic',
  'ext4',
];

/** For guests whose vsock leads to themselves: what it depends on, the kernel's own list has. */
const loopbackModule = 'vsock_loopback';

/** `init` is the guest's own; `busybox` is the program. */
const apart = new Set(['busybox', 'init', 'linuxrc']);

const libraries = 'lib/x86_64-linux-gnu';
const packages: Readonly<Record<string, readonly string[]>> = {
  'busybox-static': ['bin/busybox'],
  libc6: [
    ...['ld-linux-x86-64.so.2', 'libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'].map(
      (name) => `${libraries}/${name}`,
    ),
  ],
  'libgcc-s1': [`${libraries}/libgcc_s.so.1`],
  'libstdc++6': [`usr/${libraries}/libstdc++.so.6.0.30`],
};

export async function newLock(say: Say): Promise<Lock> {
  const kernels: Record<string, LockedKernel> = {};
  for (const [name, metapackage] of Object.entries(metapackages)) {
    kernels[name] = await lockKernel(metapackage, say);
  }
  const loopback = await lockLoopback(metapackages[defaultKernel], say);
  const locked: LockedPackage[] = [];
  for (const [name, files] of Object.entries(packages)) locked.push(await lockPackage(name, files, say));
  const native = { node: sha256([readFileSync(nodePath())]), koffi: sha256([readFileSync(koffiPath())]) };
  return {
    v: 1,
    architecture: 'amd64',
    kernels,
    loopback,
    packages: locked,
    applets: await appletsOf(say),
    native,
  };
}

/** As it says itself, without the names of what a guest has otherwise. */
async function appletsOf(say: Say): Promise<string[]> {
  const { version } = await newest('busybox-static', say);
  return withPackage('busybox-static', version, say, async ({ archive }) => {
    const folder = makeLabFolder('unpack');
    try {
      await extract(archive, ['bin/busybox'], folder, say);
      const { stdout } = await runStep([`${folder}/bin/busybox`, '--list'], { say });
      return stdout.split('\n').filter((name) => /^[a-z0-9_.-]+$/i.test(name) && !apart.has(name));
    } finally {
      removeLabFolder(folder);
    }
  });
}

async function newest(name: string, say: Say): Promise<{ version: string; depends: string }> {
  const { code, stdout } = await runStep(['apt-cache', 'show', '--no-all-versions', name], { say });
  const version = /^Version: (.+)$/m.exec(stdout)?.[1];
  if (code === 0 && version !== undefined)
    return { version, depends: /^Depends: (.+)$/m.exec(stdout)?.[1] ?? '' };
  throw new CodedError(
    'artifact-missing',
    `the archive has no package ${name}`,
    'apt-get update, as root, and try again; on a system that is not Debian 12: use one that is',
  );
}

async function lockPackage(name: string, files: readonly string[], say: Say): Promise<LockedPackage> {
  const { version } = await newest(name, say);
  return withPackage(name, version, say, async (fetched) => ({
    package: name,
    version,
    sha256: fetched.sha256,
    files: await digestsOf(fetched, files, say),
  }));
}

async function lockLoopback(metapackage: string, say: Say): Promise<LockedModules> {
  const { name, version } = await newestKernel(metapackage, say);
  return withPackage(name, version, say, async (fetched) => {
    const isIt = (file: string) => new RegExp(`/${loopbackModule}\\.ko(\\.xz)?$`).test(file);
    const modules = (await filesOf(fetched, say)).filter(isIt);
    const files = await digestsOf(fetched, modules, say);
    return { package: name, version, sha256: fetched.sha256, files, modules };
  });
}

async function newestKernel(metapackage: string, say: Say): Promise<{ name: string; version: string }> {
  const { depends } = await newest(metapackage, say);
  const name = /^linux-image-[^ ,]+/.exec(depends)?.[0] ?? metapackage;
  return { name, version: (await newest(name, say)).version };
}

async function lockKernel(metapackage: string, say: Say): Promise<LockedKernel> {
  const { name, version } = await newestKernel(metapackage, say);
  return withPackage(name, version, say, async (fetched) => {
    const all = await filesOf(fetched, say);
    const kernel = all.find((file) => file.startsWith('boot/vmlinuz-')) ?? '';
    const modules = await modulesInOrder(fetched, all, say);
    const files = await digestsOf(fetched, [kernel, ...modules], say);
    return { metapackage, package: name, version, sha256: fetched.sha256, kernel, modules, files };
  });
}

async function digestsOf(
  fetched: FetchedPackage,
  files: readonly string[],
  say: Say,
): Promise<Record<string, string>> {
  return withFiles(fetched, files, say, (read) =>
    Object.fromEntries(files.toSorted().map((file) => [file, sha256([read(file)])])),
  );
}

async function withFiles<Result>(
  { archive }: FetchedPackage,
  files: readonly string[],
  say: Say,
  use: (read: (file: string) => Uint8Array) => Result,
): Promise<Result> {
  const folder = makeLabFolder('unpack');
  try {
    await extract(archive, files, folder, say);
    return use((file) => readFileSync(`${folder}/${file}`));
  } finally {
    removeLabFolder(folder);
  }
}

/** A module after all that it depends on. What is not in the package is built in. */
async function modulesInOrder(fetched: FetchedPackage, all: readonly string[], say: Say): Promise<string[]> {
  const files = new Map(
    all.flatMap((file) => {
      const [, name] = /\/([^/]+)\.ko(?:\.xz)?$/.exec(file) ?? [];
      return name === undefined ? [] : [[name.replaceAll('-', '_'), file] as const];
    }),
  );
  const depends = new Map<string, readonly string[]>();
  let wanted = wantedModules.filter((name) => files.has(name));
  while (wanted.length > 0) {
    const paths = wanted.map((name) => files.get(name) ?? '');
    const read = await withFiles(fetched, paths, say, (octetsOf) =>
      paths.map((path) => readModule(path, octetsOf(path)).depends),
    );
    for (const [index, name] of wanted.entries()) depends.set(name, read[index] ?? []);
    wanted = [...new Set(read.flat())].filter((name) => files.has(name) && !depends.has(name));
  }
  const ordered = new Set<string>();
  const visit = (name: string) => {
    if (ordered.has(name) || !files.has(name)) return;
    for (const one of depends.get(name) ?? []) visit(one);
    ordered.add(name);
  };
  for (const name of wantedModules) visit(name);
  return [...ordered].map((name) => files.get(name) ?? '');
}
