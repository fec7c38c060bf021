/**
 * A folder of files, or an image archive, as a layer over a guest's first root: a further cpio archive behind the
 * initrd, which the kernel unpacks over it.
 * Invariant: what the initrd has stays as it is, the agent above all; where an image has a link in place of one of its
 * folders (`bin` → `usr/bin`), the folder is filled with links. What is no file, folder or link is refused.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { type ArchiveEntry, newcArchive } from '#reference/base/newc-archive.ts';
import { close } from '#reference/base/syscalls.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import { copySparse, hashSealed } from '../vmm/sealed-files.ts';
import { archiveEntries } from './image-archive.ts';

export const maxLayerOctets = 512 << 20;
const maxEntries = 100_000;
const maxInitrdOctets = 1 << 30;

function refused(what: string): CodedError {
  return new CodedError(
    'bad-rootfs',
    what,
    'give a folder of regular files, folders and links, not larger than the bound',
  );
}

/** Everything in a folder, links not followed, or in an image archive. @throws CodedError `bad-rootfs` */
export async function entriesOf(root: string): Promise<ArchiveEntry[]> {
  const stat = await lstat(root).catch((cause: NodeJS.ErrnoException) => {
    throw refused(`rootfs: the folder or archive: ${cause.code}`);
  });
  if (stat.isFile()) return archiveEntries(root, { octets: maxLayerOctets, entries: maxEntries });
  return folderEntries(root);
}

async function folderEntries(root: string): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  let octets = 0;
  const waiting = [''];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const names = await readdir(`${root}/${folder}`).catch((cause: NodeJS.ErrnoException) => {
      throw refused(`rootfs: ${folder === '' ? 'the folder' : folder}: ${cause.code}`);
    });
    for (const child of names) {
      const name = folder === '' ? child : `${folder}/${child}`;
      if (entries.length >= maxEntries) throw refused(`rootfs: more than ${maxEntries} entries`);
      const stat = await lstat(`${root}/${name}`);
      octets += stat.size;
      if (octets > maxLayerOctets) throw refused(`rootfs: more than ${maxLayerOctets} octets`);
      const mode = stat.mode & 0o7777;
      if (stat.isDirectory()) {
        waiting.push(name);
        entries.push({ kind: 'folder', name, mode });
      } else if (stat.isSymbolicLink()) {
        entries.push({ kind: 'link', name, target: await readlink(`${root}/${name}`) });
      } else if (stat.isFile()) {
        entries.push({ kind: 'file', name, mode, data: readRegular(`${root}/${name}`) });
      } else {
        throw refused(`rootfs: ${name} is no file, folder or link`);
      }
    }
  }
  return entries;
}

/** What was a file when it was looked at is not followed when it has become a link since. */
function readRegular(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw refused('rootfs: it is changed while it is read');
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

const headerOctets = 110;
const typeMask = 0o170000;
const folderType = 0o040000;

/** Names in a newc archive, and which of them are folders. null: it is none (compressed, or of another format). */
export function namesIn(fd: number, octets: number): Map<string, 'folder' | 'other'> | null {
  const names = new Map<string, 'folder' | 'other'>();
  const header = Buffer.alloc(headerOctets);
  for (let at = 0; at + headerOctets <= octets; ) {
    readSync(fd, header, 0, headerOctets, at);
    if (header.toString('latin1', 0, 6) !== '070701') return null;
    const field = (index: number) =>
      Number.parseInt(header.toString('latin1', 6 + 8 * index, 14 + 8 * index), 16);
    const [mode, size, nameOctets] = [field(1), field(6), field(11)];
    const name = Buffer.alloc(Math.min(nameOctets, 4_096));
    readSync(fd, name, 0, name.length, at + headerOctets);
    const text = name.toString('utf8', 0, Math.max(0, nameOctets - 1));
    if (text === 'TRAILER!!!') return names;
    names.set(text, (mode & typeMask) === folderType ? 'folder' : 'other');
    at = aligned(aligned(at + headerOctets + nameOctets) + size);
  }
  return null;
}

const aligned = (at: number) => (at + 3) & ~3;

/** The layer's entries as they fit over what is there. @throws CodedError `bad-rootfs` */
export function fitted(
  entries: readonly ArchiveEntry[],
  base: ReadonlyMap<string, 'folder' | 'other'>,
): ArchiveEntry[] {
  const children = new Map<string, ArchiveEntry[]>();
  for (const entry of entries) {
    const folder = posix.dirname(entry.name);
    children.set(folder, [...(children.get(folder) ?? []), entry]);
  }
  const kept = entries.filter(({ name, kind }) => {
    const there = base.get(name);
    if (there === 'other' && kind === 'folder') throw refused(`rootfs: ${name} is a file in the guest`);
    return there === undefined;
  });
  const added = new Map(kept.map((entry) => [entry.name, entry]));
  const mirror = (link: string, target: string): void => {
    for (const { name } of children.get(target) ?? []) {
      const own = `${link}/${posix.basename(name)}`;
      if (base.get(own) === 'folder') mirror(own, name);
      else if (!base.has(own) && !added.has(own)) {
        added.set(own, { kind: 'link', name: own, target: posix.relative(posix.dirname(own), name) });
      }
    }
  };
  for (const entry of entries) {
    if (entry.kind !== 'link' || base.get(entry.name) !== 'folder') continue;
    mirror(entry.name, posix.join(posix.dirname(entry.name), entry.target).replace(/^\/+/, ''));
  }
  return [...added.values()];
}

/** The initrd with the layer behind it, in sealed memory. @throws CodedError `bad-rootfs` */
export async function layerOver(initrd: SealedFile, entries: readonly ArchiveEntry[]): Promise<SealedFile> {
  const base = namesIn(initrd.fd, initrd.octets);
  if (base === null)
    throw refused('rootfs: the initrd is no plain cpio archive, so that what it has is not known');
  const fd = createMemfd('image');
  try {
    const { octets } = await copySparse(initrd.fd, fd, maxInitrdOctets);
    let at = aligned(octets);
    for (const chunk of newcArchive(fitted(entries, base))) {
      for (let done = 0; done < chunk.length; )
        done += writeSync(fd, chunk, done, chunk.length - done, at + done);
      at += chunk.length;
    }
    seal(fd);
    return await hashSealed(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Of what is in it, in whatever order the folder has it: part of a template's id. */
export function digestOf(entries: readonly ArchiveEntry[]): string {
  const digest = createHash('sha256');
  for (const chunk of newcArchive(entries)) digest.update(chunk);
  return digest.digest('hex');
}
