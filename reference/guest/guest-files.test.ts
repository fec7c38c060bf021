/** The files that tell one fork from another: held, written in place, and never by a link. */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ForkFile, ForkFiles, places } from './guest-files.ts';

let root = '';
let files: ForkFiles;
const at = (name: ForkFile) => root + places[name].path;
const read = (name: ForkFile) => readFileSync(at(name), 'utf8');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'guest-files-'));
  for (const { path } of Object.values(places)) mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(at('bootId'), 'of the kernel\n');
  files = new ForkFiles(root);
});
afterEach(() => {
  files.close();
  rmSync(root, { recursive: true });
});

test('a held file always reads as the last text, the shorter one after the longer too', () => {
  files.hold();
  const before = statSync(at('hostname')).ino;
  for (const text of ['sb-12345678\n', 'sb-1\n', 'sb-123456\n']) {
    files.write('hostname', text);
    expect(read('hostname')).toBe(text);
  }
  expect(statSync(at('hostname')).ino).toBe(before);
  expect(statSync(at('generation')).mode & 0o777).toBe(0o444);
});

test.each([false, true])(
  'a link at the place of a file is never followed nor written through; held: %s',
  (isHeld) => {
    const elsewhere = `${root}/elsewhere`;
    writeFileSync(elsewhere, 'mine');
    symlinkSync(elsewhere, at('machineId'));
    linkSync(elsewhere, at('resolvers'));
    if (isHeld) files.hold();
    for (const name of ['machineId', 'resolvers'] as const) {
      files.write(name, 'of a fork\n');
      expect(read(name)).toBe('of a fork\n');
    }
    expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
  },
);

test('a file that another has put in its place is written only once it is held anew', () => {
  writeFileSync(at('machineId'), 'first\n');
  files.hold();
  writeFileSync(`${root}/other`, 'other\n');
  renameSync(`${root}/other`, at('machineId'));
  files.hold();
  files.write('machineId', 'of a fork\n');
  expect(read('machineId')).toBe('of a fork\n');
});

test('the boot ID is never another file than the one that is shown: without it a fork fails', () => {
  files.hold();
  const shown = statSync(at('bootId')).ino;
  files.write('bootId', 'of a fork\n');
  expect([statSync(at('bootId')).ino, read('bootId')]).toEqual([shown, 'of a fork\n']);
  unlinkSync(at('bootId'));
  files.hold();
  expect(() => files.write('bootId', 'of a fork\n')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  symlinkSync(at('hostname'), at('bootId'));
  expect(() => files.write('bootId', 'of a fork\n')).toThrow(expect.objectContaining({ code: 'ELOOP' }));
});

test('what a fork cannot write is an error of the fork, not of the snapshot', () => {
  rmSync(`${root}/etc`, { recursive: true });
  files.hold();
  expect(() => files.write('machineId', 'of a fork\n')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
