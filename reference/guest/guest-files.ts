/**
 * The guest's own small files: what tells one fork from another.
 * Invariant: a file is replaced whole, never written into, so that no link at its place is followed; only the boot ID
 * is written in place, behind the mount that shows it. Two calls a file: each costs a fork a millisecond under TCG.
 */
import { closeSync, constants, openSync, renameSync, writeSync } from 'node:fs';

/** Made once, at boot. */
export const sandboxFolder = '/run/sandbox';
export const bootIdFile = `${sandboxFolder}/boot-id`;
export const generationFile = `${sandboxFolder}/fork-generation`;

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

export interface FileWriter {
  replace(path: string, text: string, mode: number): void;
  /** By a text of the length that it has: a file that is cut off first costs the kernel more than all the rest. */
  overwrite(path: string, text: string): void;
}

export const fileWriter: FileWriter = {
  replace(path, text, mode) {
    const beside = `${path}.new`;
    const fd = openSync(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  },
  overwrite(path, text) {
    const fd = openSync(path, O_WRONLY | O_NOFOLLOW);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  },
};
