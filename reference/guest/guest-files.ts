/**
 * The guest's own small files: what tells one fork from another.
 * Invariant: a file is replaced whole, never written into, so that no link at its place is followed; only the boot ID
 * is written in place, behind the mount that shows it.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const bootIdFile = '/run/sandbox/boot-id';
export const generationFile = '/run/sandbox/fork-generation';

export interface FileWriter {
  replace(path: string, text: string, mode: number): void;
  overwrite(path: string, text: string): void;
}

export const fileWriter: FileWriter = {
  replace(path, text, mode) {
    mkdirSync(dirname(path), { recursive: true });
    const beside = `${path}.new`;
    rmSync(beside, { force: true });
    writeFileSync(beside, text, { mode, flag: 'wx' });
    renameSync(beside, path);
  },
  overwrite(path, text) {
    writeFileSync(path, text);
  },
};
