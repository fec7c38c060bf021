/**
 * The lock file: every artifact by name, version and SHA-256, and every file that is taken from it.
 * Invariant: nothing gets into a guest whose digest is not in it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CodedError } from '#reference/base/coded-error.ts';

/** A package of Debian's archive. */
export interface LockedPackage {
  readonly package: string;
  readonly version: string;
  /** Of the package as the archive has it. */
  readonly sha256: string;
  /** Path in the package, and SHA-256. */
  readonly files: Readonly<Record<string, string>>;
}

export interface LockedKernel extends LockedPackage {
  /** What names the newest kernel of its kind. */
  readonly metapackage: string;
  readonly kernel: string;
  /** In the order in which they load. */
  readonly modules: readonly string[];
}

/** Modules of the default kernel that only a guest which names them loads, in a folder of their own in the cache. */
export interface LockedModules extends LockedPackage {
  readonly modules: readonly string[];
}

export interface Lock {
  readonly v: 1;
  readonly architecture: 'amd64';
  readonly kernels: Readonly<Record<string, LockedKernel>>;
  /** For guests whose vsock leads to themselves. */
  readonly loopback: LockedModules;
  readonly packages: readonly LockedPackage[];
  /** Names that busybox goes by. */
  readonly applets: readonly string[];
  /** Of npm packages that the repository's own lock file pins. */
  readonly native: Readonly<Record<'node' | 'koffi', string>>;
}

export const defaultKernel = '6.1-cloud';

export const lockPath = fileURLToPath(new URL('./artifacts.lock.json', import.meta.url));

export function readLock(path: string = lockPath): Lock {
  return JSON.parse(readFileSync(path, 'utf8')) as Lock;
}

export function sha256(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** The file's octets. @throws CodedError `artifact-mismatch` */
export function readPinned(path: string, digest: string | undefined, what: string): Uint8Array {
  const data = readFileSync(path);
  const found = sha256([data]);
  if (found === digest) return data;
  throw new CodedError(
    'artifact-mismatch',
    `${what}: SHA-256 is ${found}, pinned is ${digest ?? 'nothing'}`,
    'if its version was meant to change: pnpm lab artifacts --update, and see what changes in artifacts.lock.json',
  );
}
