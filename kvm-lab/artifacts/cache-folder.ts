/**
 * Where fetched and built artifacts are kept: below the user's cache folder, so that every clone has them.
 * Invariant: a name in it is complete or not there; what is read from it is held to a digest by its reader.
 */

import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** HUSKPROOF_CACHE, else as the XDG base directory specification says. */
export function cacheFolder(): string {
  const { HUSKPROOF_CACHE, XDG_CACHE_HOME } = process.env;
  if (HUSKPROOF_CACHE !== undefined && HUSKPROOF_CACHE !== '') return resolve(HUSKPROOF_CACHE);
  const base = XDG_CACHE_HOME?.startsWith('/') === true ? XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(base, 'huskproof');
}

/**
 * Path of an artifact; when it is not there, `make` writes it (a file or folder) where it is told to.
 * Two processes that make it at once both succeed, and one of the two results stays.
 */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(cacheFolder(), name);
  if (isCached(name)) return used(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  chmodSync(cacheFolder(), 0o700);
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    await make(unfinished);
    renameSync(unfinished, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return path;
}

/** So that what is used is not what is the oldest. */
function used(path: string): string {
  const now = new Date();
  utimesSync(path, now, now);
  return path;
}

export function isCached(name: string): boolean {
  return lstatSync(join(cacheFolder(), name), { throwIfNoEntry: false }) !== undefined;
}

/** Others may be about to open what is younger. */
const keepAtLeastMs = 3_600_000;

/** Takes away all but the youngest files of a folder. */
export function keepNewest(folder: string, count: number): void {
  const path = join(cacheFolder(), folder);
  const files = readdirSync(path)
    .map((name) => ({ name, ...statSync(join(path, name), { throwIfNoEntry: false }) }))
    .toSorted((one, other) => (other.mtimeMs ?? 0) - (one.mtimeMs ?? 0));
  for (const { name, mtimeMs = 0 } of files.slice(count)) {
    if (Date.now() - mtimeMs > keepAtLeastMs) rmSync(join(path, name), { force: true });
  }
}

/** What turned out not to be what it must be. */
export function forget(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
