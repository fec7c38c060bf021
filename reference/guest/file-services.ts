/**
 * Files of the guest: read, write, list, stat, remove.
 * Invariant: the last name of a path is never followed when it is a symbolic link; only regular files are read, as many
 * octets as they had when they were opened; a write is whole or has no effect.
 */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  type FileEntry,
  maxChunkOctets,
  maxListedEntries,
  type ServiceRequest,
} from '#reference/contract/guest-protocol.ts';
import { ChunkQueue, ChunkWindow } from './chunk-window.ts';
import { type End, failure, type Service, type Tell } from './service.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** So that a line of them is never too long: a name has at most 255 octets, six times that when they are escaped. */
const entriesInChunk = 32;
/** Before folders that are missing are made for a file. */
const folderMode = 0o755;

/** Ends early, and says so. */
class Refusal extends Error {}

function entryOf(name: string, stats: Stats): FileEntry {
  const kind = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'link'
        : 'other';
  return {
    name,
    kind,
    octets: stats.size,
    mode: stats.mode & 0o7777,
    modified_ms: Math.floor(stats.mtimeMs),
  };
}

async function ended(what: string, run: () => Promise<End>): Promise<End> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: `${what}: ${error.message}` };
    return failure(what, error);
  }
}

/** One that sends chunks, or none, and takes nothing but their acknowledgement. */
export class SendingService implements Service {
  readonly ended: Promise<End>;
  readonly #window = new ChunkWindow();
  readonly #tell: Tell;

  constructor(what: string, tell: Tell, run: (service: SendingService) => Promise<End>) {
    this.#tell = tell;
    this.ended = ended(what, () => run(this));
  }

  async send(part: Parameters<Tell>[0]): Promise<void> {
    if (!(await this.#window.room())) throw new Refusal('cancelled');
    await this.#tell(part);
  }

  follow(request: ServiceRequest): string | null {
    if (request.method === 'ack') {
      return this.#window.acknowledged(request.chunks) ? null : 'more chunks are acknowledged than were sent';
    }
    if (request.method !== 'cancel') return 'it knows ack and cancel';
    this.cancel();
    return null;
  }

  cancel(): void {
    this.#window.giveUp();
  }
}

export function readFile(tell: Tell, path: string, maxOctets: number): Service {
  return new SendingService('read', tell, async (service) => {
    // Opening what is no regular file may wait, or do something.
    if (!(await lstat(path)).isFile()) throw new Refusal('no regular file');
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Refusal('no regular file');
      if (stats.size > maxOctets) throw new Refusal('longer than max_octets');
      const buffer = Buffer.alloc(Math.min(maxChunkOctets, stats.size));
      for (let left = stats.size; left > 0; ) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, left));
        if (bytesRead === 0) break;
        left -= bytesRead;
        await service.send({ stream: 'data', data: buffer.toString('base64', 0, bytesRead) });
      }
      return { ok: true };
    } finally {
      await file.close();
    }
  });
}

export function listFolder(tell: Tell, path: string): Service {
  return new SendingService('list', tell, async (service) => {
    if (!(await lstat(path)).isDirectory()) throw new Refusal('no folder');
    let entries: FileEntry[] = [];
    let count = 0;
    for await (const { name } of await opendir(path)) {
      if (count === maxListedEntries) {
        await service.send({ stream: 'entries', entries });
        return { ok: true, truncated: true };
      }
      const stats = await lstat(join(path, name)).catch(unlessGone);
      if (stats === null) continue;
      count += 1;
      entries.push(entryOf(name, stats));
      if (entries.length < entriesInChunk) continue;
      await service.send({ stream: 'entries', entries });
      entries = [];
    }
    if (entries.length > 0) await service.send({ stream: 'entries', entries });
    return { ok: true };
  });
}

function unlessGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

export function statFile(tell: Tell, path: string): Service {
  return new SendingService('stat', tell, async () => {
    return { ok: true, entry: entryOf(basename(path), await lstat(path)) };
  });
}

export function removeFile(tell: Tell, path: string): Service {
  return new SendingService('remove', tell, async () => {
    if ((await lstat(path)).isDirectory()) await rmdir(path);
    else await unlink(path);
    return { ok: true };
  });
}

/** Octets go to a file beside; it takes the place of the other when the last one is there. */
export class WriteService implements Service {
  readonly ended: Promise<End>;
  readonly #tell: Tell;
  readonly #beside: string;
  readonly #file: Promise<FileHandle>;
  readonly #input: ChunkQueue;
  readonly #finish: (error: unknown) => void;
  #isWhole = false;

  constructor(tell: Tell, path: string, mode: number) {
    this.#tell = tell;
    this.#beside = join(dirname(path), `.mitos-${randomBytes(8).toString('hex')}`);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#finish = resolve;
    this.#input = new ChunkQueue(resolve);
    this.#file = this.#open(path);
    this.#file.catch(resolve);
    this.ended = ended('write', () => this.#end(promise, path, mode));
  }

  async #open(path: string): Promise<FileHandle> {
    await mkdir(dirname(path), { recursive: true, mode: folderMode });
    return open(this.#beside, 'wx', 0o600);
  }

  async #end(finished: Promise<unknown>, path: string, mode: number): Promise<End> {
    const error = await finished;
    const file = await this.#file;
    try {
      if (error !== null) throw error;
      await file.chmod(mode);
      await file.sync();
      await rename(this.#beside, path);
      return { ok: true };
    } catch (cause) {
      await rm(this.#beside, { force: true });
      throw cause;
    } finally {
      await file.close();
    }
  }

  follow(request: ServiceRequest): string | null {
    if (request.method === 'cancel') {
      this.cancel();
      return null;
    }
    if (request.method !== 'data') return 'a write knows data and cancel';
    if (this.#isWhole) return 'the last octets were there already';
    const write = async () => (await this.#file).appendFile(Buffer.from(request.data, 'base64'));
    if (request.end) {
      this.#isWhole = true;
      this.#input.end(async () => {
        await write();
        this.#finish(null);
      });
      return null;
    }
    const isTaken = this.#input.add(write, () => this.#tell({ ack: 1 }));
    return isTaken ? null : 'more chunks were sent than the window holds';
  }

  cancel(): void {
    this.#finish(new Refusal('cancelled'));
  }
}
