/**
 * Temporary folders of the lab, named after the process that made them.
 * Invariant: only folders of that name that belong to this user are ever found; a link is none.
 */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OwnerState, ownerMark, ownerState } from './owner.ts';

const pattern = /^huskproof-[a-z]+-([0-9a-f.]+)-[A-Za-z0-9]{6}$/;
const oneWord = /^[a-z]+$/;

/** Mode 0700. Whoever makes one removes it. @param what one word of a to z, else it would never be found again */
export function makeLabFolder(what: string): string {
  if (!oneWord.test(what))
    throw new TypeError(`a folder of the lab is named by one word of a to z, not '${what}'`);
  return mkdtempSync(join(tmpdir(), `huskproof-${what}-${ownerMark()}-`));
}

export interface LabFolder {
  readonly path: string;
  readonly mark: string;
  readonly owner: OwnerState;
}

export function labFolders(): LabFolder[] {
  return readdirSync(tmpdir()).flatMap((name) => {
    const [, mark] = pattern.exec(name) ?? [];
    const path = join(tmpdir(), name);
    return mark !== undefined && isOwnFolder(path) ? [{ path, mark, owner: ownerState(mark) }] : [];
  });
}

function isOwnFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

/** Throws when something is mounted in it: what is there may be another's. */
export function removeLabFolder(path: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const inside = mounts.map((line) => line.split(' ')[4] ?? '').find((at) => `${at}/`.startsWith(`${path}/`));
  if (inside !== undefined) throw new Error(`${inside} is mounted in it: umount it first`);
  rmSync(path, { recursive: true, force: true });
}
