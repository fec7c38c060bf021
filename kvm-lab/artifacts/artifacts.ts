/**
 * What a guest boots from: a kernel of Debian's and an initramfs of our own, fetched, built and held to their digests.
 * Invariant: a path is given out only when what it holds has the digest that is given with it.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { cached, cacheFolder, forget, isCached, keepNewest } from './cache-folder.ts';
import { cacheName, unpacked } from './debian-package.ts';
import { initramfs } from './initramfs.ts';
import { defaultKernel, type LockedKernel, readLock, readPinned, sha256 } from './lock.ts';
import type { Say } from './run-step.ts';

export interface GuestArtifacts {
  readonly kernelName: string;
  /** Paths of files that nobody writes to again. */
  readonly kernel: string;
  readonly kernelSha256: string;
  readonly initrd: string;
  readonly initrdSha256: string;
  readonly commandLine: string;
}

/** Main files of the agents that images are built for. */
const agents = {
  honest: 'reference/main/guest-agent.ts',
  reference: 'kvm-lab/guests/lab-agent.ts',
  published: 'properties/subjects/published/guest-main.ts',
  vulnerable: 'properties/subjects/vulnerable/guest-main.ts',
  zoo: 'kvm-lab/guests/zoo-agent.ts',
  vsock: 'kvm-lab/guests/vsock-agent.ts',
  contract: 'kvm-lab/guests/contract-over-vsock.ts',
} as const;
export type GuestImage = keyof typeof agents;
/** Their vsock leads to themselves. */
const onLoopback: readonly GuestImage[] = ['vsock', 'contract'];
export const images = Object.keys(agents) as GuestImage[];

export { defaultKernel };
export const kernelNames = (): string[] => Object.keys(readLock().kernels);

/**
 * Serial console with little on it; a guest that panics ends at once (with QEMU's -no-reboot). An emulated timer on a
 * busy host ticks too late for the kernel's check of it, which panics ("IO-APIC + timer doesn't work"). What is left
 * out besides costs each fork, and nobody here uses it: pressure stall information, security modules without a policy,
 * a fifth level of page tables.
 */
const commandLine = 'console=ttyS0 quiet panic=-1 no_timer_check psi=0 lsm=landlock no5lvl';

/** 120 MB each; every change of the agent makes another. */
const maxInitrds = 12;

const silent: Say = () => undefined;

const given = new Map<string, Promise<GuestArtifacts>>();

/**
 * Fetches and builds what is not in the cache yet; else it takes the time to hash, once in a process.
 * @param kernelName one of `kernelNames()`
 * @throws CodedError `unknown-kernel`, `artifact-missing`, `artifact-mismatch`
 */
export function guestArtifacts(
  kernelName: string = defaultKernel,
  image: GuestImage = 'honest',
  say: Say = silent,
): Promise<GuestArtifacts> {
  const key = `${kernelName} ${image} ${cacheFolder()}`;
  const known = given.get(key);
  if (known !== undefined) return known;
  const made = makeArtifacts(kernelName, image, say);
  given.set(key, made);
  // What failed is tried again by the next caller.
  made.catch(() => given.delete(key));
  return made;
}

async function makeArtifacts(kernelName: string, image: GuestImage, say: Say): Promise<GuestArtifacts> {
  const lock = readLock();
  const locked = lock.kernels[kernelName];
  if (locked === undefined) {
    const names = Object.keys(lock.kernels).join(', ');
    throw new CodedError('unknown-kernel', `there is no kernel ${kernelName}`, `choose one of ${names}`);
  }
  const kernel = await kernelPath(locked, say);
  const more = onLoopback.includes(image) ? [lock.loopback] : [];
  const chunks = await initramfs(lock, [locked, ...more], agents[image], say);
  return { kernelName, ...kernel, ...(await initrdPath(chunks)), commandLine };
}

/** Packages that the default guest needs and that are not in the cache. */
export function missingArtifacts(kernelName: string = defaultKernel): string[] {
  const { kernels, packages } = readLock();
  const kernel = kernels[kernelName];
  return [...(kernel === undefined ? [] : [kernel]), ...packages]
    .filter((locked) => !isCached(cacheName(locked)))
    .map((locked) => locked.package);
}

async function kernelPath(locked: LockedKernel, say: Say) {
  const path = `${await unpacked(locked, say)}/${locked.kernel}`;
  const digest = locked.files[locked.kernel] ?? '';
  readPinned(path, digest, locked.package);
  return { kernel: path, kernelSha256: digest };
}

/** Named by its digest, so that every build of the same octets is the same file. */
async function initrdPath(chunks: Uint8Array[]) {
  const digest = sha256(chunks);
  const name = `initrd/${digest}.cpio`;
  const make = () => cached(name, async (path) => writeChunks(path, chunks));
  const path = await make();
  if (sha256([readFileSync(path)]) !== digest) {
    forget(path);
    await make();
  }
  keepNewest('initrd', maxInitrds);
  return { initrd: path, initrdSha256: digest };
}

function writeChunks(path: string, chunks: readonly Uint8Array[]): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    }
  } finally {
    closeSync(fd);
  }
}
