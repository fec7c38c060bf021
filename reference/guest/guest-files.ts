/**
 * The guest's own small files: what tells one fork from another.
 * Invariant: no link at the place of a file is followed or written through. What a fork writes into was opened before
 * the snapshot while nobody else ran, and nobody runs before it is written: to make a file anew and put it in its place
 * would cost each fork ten milliseconds under TCG.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';

/** Made once, at boot. */
export const sandboxFolder = '/run/sandbox';
/** Shown as the kernel's by a mount: another file in its place would not be. */
export const bootIdFile = `${sandboxFolder}/boot-id`;

interface Place {
  readonly path: string;
  readonly mode: number;
  /** What stands in it before the first fork when nothing is there; null: another has made it. */
  readonly first: (() => string) | null;
}

/** In memory that is there before a fork. */
const id = Buffer.from(new ArrayBuffer(16));

/** Until the next call. */
export function freshId(): Buffer {
  randomFillSync(id);
  return id;
}

export const places = {
  generation: { path: `${sandboxFolder}/fork-generation`, mode: 0o444, first: () => '0\n' },
  bootId: { path: bootIdFile, mode: 0o444, first: null },
  machineId: { path: '/etc/machine-id', mode: 0o444, first: freshMachineId },
  hostname: { path: '/etc/hostname', mode: 0o644, first: () => `${hostname()}\n` },
  resolvers: { path: '/etc/resolv.conf', mode: 0o644, first: () => '' },
} as const satisfies Readonly<Record<string, Place>>;

export type ForkFile = keyof typeof places;
const names = Object.keys(places) as ForkFile[];

export function freshMachineId(): string {
  return `${freshId().toString('hex')}\n`;
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

interface Held {
  readonly fd: number;
  octets: number;
}

export class ForkFiles {
  readonly #root: string;
  readonly #held = new Map<ForkFile, Held>();

  /** @param root before each path */
  constructor(root = '') {
    this.#root = root;
  }

  /** Before a snapshot, while nobody else runs. What cannot be held, a fork says. */
  hold(): void {
    this.close();
    for (const name of names) {
      const { path, first }: Place = places[name];
      const held = heldAt(this.#root + path) ?? (first === null ? null : this.#begin(name, first()));
      if (held !== null) this.#held.set(name, held);
    }
  }

  #begin(name: ForkFile, text: string): Held | null {
    try {
      this.#replace(name, text);
    } catch (error) {
      if (isOfSystem(error)) return null;
      throw error;
    }
    return heldAt(this.#root + places[name].path);
  }

  /** ASCII. @throws what the file system says */
  write(name: ForkFile, text: string): void {
    const held = this.#held.get(name);
    if (held === undefined) {
      this.#writeAnew(name, text);
      return;
    }
    // As the answer is written: what writes strings would be run for this alone.
    const line = Buffer.from(text);
    const octets = writeSync(held.fd, line, 0, line.length, 0);
    if (octets < held.octets) ftruncateSync(held.fd, octets);
    held.octets = octets;
  }

  #writeAnew(name: ForkFile, text: string): void {
    if (name !== 'bootId') {
      this.#replace(name, text);
      return;
    }
    const fd = openSync(this.#root + bootIdFile, O_WRONLY | O_NOFOLLOW);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  }

  #replace(name: ForkFile, text: string): void {
    const path = this.#root + places[name].path;
    const beside = `${path}.new`;
    const fd = openSync(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, places[name].mode);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  }

  close(): void {
    for (const { fd } of this.#held.values()) closeSync(fd);
    this.#held.clear();
  }
}

/** null: nothing is there, or no file of this one name alone. */
function heldAt(path: string): Held | null {
  let fd: number;
  try {
    fd = openSync(path, O_WRONLY | O_NOFOLLOW);
  } catch (error) {
    if (isOfSystem(error)) return null;
    throw error;
  }
  const found = fstatSync(fd);
  if (found.isFile() && found.nlink === 1) return { fd, octets: found.size };
  closeSync(fd);
  return null;
}

const isOfSystem = (error: unknown): boolean => typeof (error as NodeJS.ErrnoException).syscall === 'string';
