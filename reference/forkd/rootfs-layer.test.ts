/** A folder over a guest's first root: what the guest has stays, what an image links is filled in. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { type ArchiveEntry, newcArchive } from '#reference/base/newc-archive.ts';
import { close } from '#reference/base/syscalls.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import { hashSealed } from '../vmm/sealed-files.ts';
import { digestOf, entriesOf, fitted, layerOver, namesIn } from './rootfs-layer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/huskproof-layer-`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string, text = name): ArchiveEntry => ({
  kind: 'file',
  name,
  mode: 0o755,
  data: Buffer.from(text),
});
const made = (name: string): ArchiveEntry => ({ kind: 'folder', name, mode: 0o755 });
const link = (name: string, target: string): ArchiveEntry => ({ kind: 'link', name, target });

async function sealed(entries: readonly ArchiveEntry[]): Promise<SealedFile> {
  const fd = createMemfd('test');
  writeFileSync(`/proc/self/fd/${fd}`, Buffer.concat(newcArchive(entries)));
  seal(fd);
  return hashSealed(fd);
}

const guest = [
  made('bin'),
  file('bin/node', 'the agent’s'),
  made('lib'),
  made('lib/x'),
  file('lib/x/libc.so'),
  file('init'),
];
const base = new Map(guest.map(({ name, kind }) => [name, kind === 'folder' ? 'folder' : 'other'] as const));

test('what the guest has is never replaced, whatever the image has there', () => {
  const layer = [
    made('bin'),
    file('bin/node', 'hostile'),
    file('init', 'hostile'),
    file('etc-motd'),
    link('lib/x/libc.so', '/tmp'),
  ];
  expect(fitted(layer, base).map(({ name }) => name)).toEqual(['etc-motd']);
});

test('where the image links one of the guest’s folders, its names are linked one by one', () => {
  const layer = [
    ...[
      made('usr'),
      made('usr/bin'),
      file('usr/bin/python3'),
      file('usr/bin/node', 'the image’s'),
      link('bin', 'usr/bin'),
    ],
    ...[
      made('usr/lib'),
      made('usr/lib/x'),
      file('usr/lib/x/libz.so'),
      file('usr/lib/x/libc.so'),
      link('lib', '/usr/lib'),
    ],
  ];
  const links = fitted(layer, base).flatMap((entry) =>
    entry.kind === 'link' ? [[entry.name, entry.target]] : [],
  );
  expect(links).toEqual([
    ['bin/python3', '../usr/bin/python3'],
    ['lib/x/libz.so', '../../usr/lib/x/libz.so'],
  ]);
});

test('a folder of the image in place of a file of the guest is refused', () => {
  expect(() => fitted([made('init')], base)).toThrow(expect.objectContaining({ code: 'bad-rootfs' }));
});

test('the layer stands behind the initrd, as the kernel unpacks it', async () => {
  mkdirSync(`${folder}/opt`);
  writeFileSync(`${folder}/opt/tool`, 'a tool', { mode: 0o750 });
  symlinkSync('tool', `${folder}/opt/other`);
  const initrd = await sealed(guest);
  const layered = await layerOver(initrd, await entriesOf(folder));
  const octets = readFileSync(`/proc/self/fd/${layered.fd}`);
  const behind = createMemfd('test');
  writeFileSync(`/proc/self/fd/${behind}`, octets.subarray(initrd.octets));
  expect([...(namesIn(behind, octets.length - initrd.octets)?.keys() ?? [])]).toEqual([
    'opt',
    'opt/other',
    'opt/tool',
  ]);
  close(behind);
  expect(octets.subarray(0, initrd.octets).equals(readFileSync(`/proc/self/fd/${initrd.fd}`))).toBe(true);
  close(initrd.fd);
  close(layered.fd);
});

test('the digest is of what is in the folder, and of nothing else', async () => {
  writeFileSync(`${folder}/a`, '1');
  const before = digestOf(await entriesOf(folder));
  writeFileSync(`${folder}/b`, '2');
  expect(digestOf(await entriesOf(folder))).not.toBe(before);
  rmSync(`${folder}/b`);
  expect(digestOf(await entriesOf(folder))).toBe(before);
});

test('what is no file, folder or link, or is not there, is refused by name', async () => {
  execFileSync('mkfifo', [`${folder}/pipe`]);
  await expect(entriesOf(folder)).rejects.toThrow(/pipe is no file/);
  await expect(entriesOf(`${folder}/none`)).rejects.toThrow(expect.objectContaining({ code: 'bad-rootfs' }));
});

test('an initrd that is compressed is refused: what it has is not known', async () => {
  const fd = createMemfd('test');
  writeFileSync(`/proc/self/fd/${fd}`, Buffer.alloc(1_000, 7));
  expect(namesIn(fd, 1_000)).toBe(null);
  await expect(layerOver({ fd, octets: 1_000, sha256: '' }, [])).rejects.toThrow(
    expect.objectContaining({ code: 'bad-rootfs' }),
  );
  close(fd);
});
