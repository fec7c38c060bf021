/** A kernel is opened into sealed memory, whole and as the digest says, or refused by the rule that it breaks. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isSealed } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import { copySealed, openVerified } from './sealed-files.ts';

const content = Buffer.concat([Buffer.from('kernel'), Buffer.alloc(3 << 20), Buffer.from('end')]);
const sha256 = createHash('sha256').update(content).digest('hex');
let folder: string;
let destination: string;
let before: number;

const descriptors = () => readdirSync('/proc/self/fd').length;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealed-'));
  destination = join(folder, 'kernel');
  writeFileSync(destination, content);
  before = descriptors();
});

afterEach(() => {
  expect(descriptors()).toBe(before);
  rmSync(folder, { recursive: true });
});

const open = (digest = sha256, allowUnverified = false) =>
  openVerified({ destination, sha256: digest, allowUnverified });
const refused = (message: RegExp) => ({ code: 'kernel-refused', message: expect.stringMatching(message) });

test('what is opened is what was hashed, sealed, and stays so when the file changes', async () => {
  const image = await open();
  expect(image).toMatchObject({ sha256, octets: content.length });
  expect(isSealed(image.fd)).toBe(true);
  writeFileSync(destination, Buffer.alloc(content.length, 1), { flag: 'r+' });
  expect(readFileSync(`/proc/self/fd/${image.fd}`).equals(content)).toBe(true);
  expect(() => openSync(`/proc/self/fd/${image.fd}`, 'w')).toThrow(/EPERM/);
  close(image.fd);
});

test('a digest in upper case is the same; none is taken only with leave', async () => {
  close((await open(sha256.toUpperCase())).fd);
  close((await open('', true)).fd);
  await expect(open('')).rejects.toMatchObject(refused(/no digest is set/));
});

test.for([
  ['another file', () => writeFileSync(destination, 'another'), /another digest/],
  ['a flipped bit', () => writeFileSync(destination, 'K', { flag: 'r+' }), /another digest/],
  ['an empty file', () => writeFileSync(destination, ''), /incomplete/],
  ['a file that is not there', () => rmSync(destination), /ENOENT/],
  ['a link to the right file', () => linked(), /ELOOP/],
  ['a folder', () => replaced(() => mkdirSync(destination)), /EISDIR/],
  ['a FIFO', () => replaced(() => execFileSync('mkfifo', [destination])), /ENXIO/],
] as const)('%s is refused', async ([, act, rule]) => {
  act();
  await expect(open()).rejects.toMatchObject(refused(rule));
});

test.for([`${sha256}\n${sha256}`, ` ${sha256}`, sha256.slice(1), `${sha256}0`, 'g'.repeat(64)])(
  'a digest written as %j is refused',
  async (digest) => {
    await expect(open(digest)).rejects.toMatchObject(refused(/digest/));
  },
);

test('a file that is longer than it may be is refused, and nothing of it is kept', async () => {
  const fd = openSync(destination, 'r');
  await expect(copySealed(fd, 'copy', content.length - 1)).rejects.toMatchObject({ code: 'file-too-large' });
  closeSync(fd);
});

function replaced(make: () => void): void {
  rmSync(destination);
  make();
}

function linked(): void {
  linkSync(destination, `${destination}.real`);
  replaced(() => symlinkSync(`${destination}.real`, destination));
}
