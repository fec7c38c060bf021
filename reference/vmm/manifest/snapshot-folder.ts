/**
 * A snapshot on disk: `memory`, `device-state` and, written last, `manifest.json`; mode 0700, files 0600.
 * Invariant: a folder of that name holds a whole snapshot or is not there; what is loaded runs from sealed memory, and
 * has the digests that the manifest says, whose own digest is the one that was asked for. With a key, memory and device
 * state lie there encrypted, and what does not is refused.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError } from '#reference/base/coded-error.ts';
import { isSealed } from '#reference/base/memfd.ts';
import { close, SyscallError } from '#reference/base/syscalls.ts';
import type {
  HandedSnapshot,
  LoadedSnapshot,
  SealedFile,
  SnapshotManifest,
} from '#reference/contract/vmm-port.ts';
import { copySealed, copySparse, hashSealed } from '../sealed-files.ts';
import { decryptPart, encryptedOctets, encryptPart, isEncrypted } from './encrypted-part.ts';
import { digestOf, type Environment, manifestText, mismatch, readManifest } from './manifest.ts';
import type { StorageKey } from './storage-key.ts';

const files = { memory: 'memory', deviceState: 'device-state', manifest: 'manifest.json' } as const;
type Part = 'memory' | 'deviceState';
const parts: readonly Part[] = ['memory', 'deviceState'];
const maxManifestOctets = 65_536;

/** The caller's descriptors from now on. */
export function snapshotOf(
  manifest: SnapshotManifest,
  memory: SealedFile,
  deviceState: SealedFile,
): LoadedSnapshot {
  let isOpen = true;
  return {
    digest: digestOf(manifestText(manifest)),
    manifest,
    memory,
    deviceState,
    close: () => {
      if (isOpen) for (const { fd } of [memory, deviceState]) close(fd);
      isOpen = false;
    },
  };
}

/**
 * @param folder is made; its parent is there
 * @param key null: it lies there as it is
 * @throws CodedError `disk-full`, `snapshot-taken`; then nothing of it is left
 */
export async function storeSnapshot(
  snapshot: LoadedSnapshot,
  folder: string,
  key: StorageKey | null = null,
): Promise<void> {
  const partial = `${folder}.partial-${randomBytes(8).toString('hex')}`;
  try {
    await mkdir(partial, { mode: 0o700 });
    for (const part of parts) await storePart(part, snapshot[part], join(partial, files[part]), key);
    storeManifest(manifestText(snapshot.manifest), join(partial, files.manifest));
    syncFolder(partial);
    await rename(partial, folder);
    syncFolder(dirname(folder));
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    throw storeFault(folder, cause);
  }
}

async function storePart(
  part: Part,
  { fd, sha256, octets }: SealedFile,
  path: string,
  key: StorageKey | null,
): Promise<void> {
  const file = openSync(path, 'wx', 0o600);
  try {
    const written = await (key === null ? copySparse(fd, file, octets) : encryptPart(fd, file, part, key));
    fsyncSync(file);
    const length = key === null ? octets : encryptedOctets(octets);
    if (written.sha256 !== sha256 || fstatSync(file).size !== length) {
      throw mismatch(path, 'what was written is not what was to be');
    }
  } finally {
    closeSync(file);
  }
}

function storeManifest(text: string, path: string): void {
  writeFileSync(path, text, { mode: 0o600, flag: 'wx', flush: true });
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function storeFault(folder: string, cause: unknown): unknown {
  const { code } = cause as { code?: unknown };
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    const remedy = 'make room, or keep fewer snapshots';
    return new CodedError('disk-full', `${folder} cannot be written: ${code}`, remedy, { cause });
  }
  if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') {
    const remedy = 'load the one that is there, or remove it';
    return new CodedError('snapshot-taken', `there is something at ${folder} already`, remedy, { cause });
  }
  return cause;
}

/**
 * @param key null: it lies there as it is
 * @throws CodedError `snapshot-mismatch`
 */
export async function loadSnapshot(
  folder: string,
  digest: string,
  environment: Environment,
  key: StorageKey | null = null,
): Promise<LoadedSnapshot> {
  const opened: number[] = [];
  const sealed: SealedFile[] = [];
  const open = (name: string) => {
    const fd = openRegular(join(folder, name), name);
    opened.push(fd);
    return fd;
  };
  try {
    const manifest = readManifest(readBounded(open(files.manifest)), digest, environment);
    for (const part of parts) {
      const copy = await loadPart(part, open(files[part]), manifest[part].octets, key);
      sealed.push(copy);
      checkPart(part, copy, manifest);
    }
    const [memory, deviceState] = sealed as [SealedFile, SealedFile];
    return snapshotOf(manifest, memory, deviceState);
  } catch (error) {
    for (const { fd } of sealed) close(fd);
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

async function loadPart(part: Part, fd: number, octets: number, key: StorageKey | null): Promise<SealedFile> {
  if (key !== null) return decryptPart(fd, part, octets, key);
  if (await isEncrypted(fd)) throw mismatch(`${part}.encryption`, 'it is encrypted, and here is no key');
  if (fstatSync(fd).size !== octets) throw mismatch(`${part}.octets`, 'another length');
  return copySealed(fd, part, octets);
}

/** No link is followed, and nothing is waited for. */
function openRegular(path: string, name: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw mismatch(name, `cannot be opened (${(cause as NodeJS.ErrnoException).code})`);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw mismatch(name, 'is no regular file');
}

function readBounded(fd: number): string {
  if (fstatSync(fd).size > maxManifestOctets) throw mismatch(files.manifest, 'is too long');
  return readFileSync(fd, 'utf8');
}

function checkPart(part: Part, { sha256, octets }: SealedFile, manifest: SnapshotManifest): void {
  if (octets !== manifest[part].octets) throw mismatch(`${part}.octets`, 'another length');
  if (sha256 !== manifest[part].sha256) throw mismatch(`${part}.sha256`, 'another digest');
}

/**
 * What another process handed over as descriptors: manifest, seals, lengths and octets are checked here, the seals
 * before the octets, which change no more from then on. They become the snapshot's when it succeeds, and stay the
 * caller's else.
 * @param digest from who wants it run: it reaches from the manifest to each octet
 * @throws CodedError `snapshot-mismatch`
 */
export async function adoptSnapshot(
  handed: HandedSnapshot,
  digest: string,
  environment: Environment,
): Promise<LoadedSnapshot> {
  const manifest = readManifest(handed.manifest, digest, environment);
  const adopted = {} as Record<Part, SealedFile>;
  for (const part of parts) {
    const fd = handed[part];
    if (!isSealedMemory(fd)) throw mismatch(part, 'is not sealed');
    if (fstatSync(fd).size !== manifest[part].octets) throw mismatch(`${part}.octets`, 'another length');
    adopted[part] = await hashSealed(fd);
    checkPart(part, adopted[part], manifest);
  }
  return snapshotOf(manifest, adopted.memory, adopted.deviceState);
}

/** What is no memfd has no seals, and says so by an error. */
function isSealedMemory(fd: number): boolean {
  try {
    return isSealed(fd);
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}
