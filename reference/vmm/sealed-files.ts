/**
 * What a VM is made of, in sealed memory.
 * Invariant: the digest is of the octets that the sealed memfd holds: they were hashed while they were copied into it,
 * or after it was sealed. Zeros are not written, so that they cost no memory.
 */
import { createHash, randomBytes } from 'node:crypto';
import { close as closeFd, constants, fstatSync, ftruncateSync, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd, isSealed, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import {
  type KernelPolicy,
  type StagingAction,
  type StagingEvent,
  stepKernel,
} from '#reference/decisions/kernel-digest.ts';

export const chunkOctets = 1 << 20;
const zeros = Buffer.alloc(chunkOctets);
const readChunk = promisify(read);
const writeChunk = promisify(write);
const openFile = promisify(open);
const closeFile = promisify(closeFd);

/** Reads `fd` from its start to its end in order. @throws CodedError `file-too-large` */
async function eachChunk(
  fd: number,
  maxOctets: number,
  use: (chunk: Buffer, at: number) => Promise<void>,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(chunkOctets);
  for (let at = 0; ; ) {
    const { bytesRead } = await readChunk(fd, buffer, 0, chunkOctets, at);
    if (bytesRead === 0) return at;
    if (at + bytesRead > maxOctets) {
      throw new CodedError(
        'file-too-large',
        `what should be at most ${maxOctets} octets is longer`,
        'see that it is the right file',
      );
    }
    await use(buffer.subarray(0, bytesRead), at);
    at += bytesRead;
  }
}

/** What is there of as many octets as `into` has room for. */
export async function readChunkAt(fd: number, into: Buffer, at: number): Promise<Buffer> {
  for (let held = 0; held < into.length; ) {
    const { bytesRead } = await readChunk(fd, into, held, into.length - held, at + held);
    if (bytesRead === 0) return into.subarray(0, held);
    held += bytesRead;
  }
  return into;
}

/** @param chunk of any length */
export function isZero(chunk: Buffer): boolean {
  for (let at = 0; at < chunk.length; at += chunkOctets) {
    const piece = chunk.subarray(at, at + chunkOctets);
    if (!piece.equals(zeros.subarray(0, piece.length))) return false;
  }
  return true;
}

export async function writeAll(fd: number, chunk: Buffer, at: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await writeChunk(fd, chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
}

/** Copies from one file to another, sparsely. @returns how many octets, and their digest */
export async function copySparse(
  from: number,
  to: number,
  maxOctets: number,
): Promise<{ readonly sha256: string; readonly octets: number }> {
  const hash = createHash('sha256');
  const octets = await eachChunk(from, maxOctets, async (chunk, at) => {
    hash.update(chunk);
    if (!isZero(chunk)) await writeAll(to, chunk, at);
  });
  ftruncateSync(to, octets);
  return { sha256: hash.digest('hex'), octets };
}

/** @param name seen in /proc, and nothing else */
export async function copySealed(from: number, name: string, maxOctets: number): Promise<SealedFile> {
  const fd = createMemfd(name);
  try {
    const copied = await copySparse(from, fd, maxOctets);
    seal(fd);
    return { fd, ...copied };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Of a memfd that has its seals: nobody writes it meanwhile. It stays the caller's. */
export async function hashSealed(fd: number): Promise<SealedFile> {
  const hash = createHash('sha256');
  const octets = await eachChunk(fd, fstatSync(fd).size, async (chunk) => void hash.update(chunk));
  return { fd, sha256: hash.digest('hex'), octets };
}

/** Of a kernel or an initrd: more is none. */
const maxImageOctets = 1 << 30;

/**
 * The `open` phase of kernel-digest, carried out: a file that is to be booted, in sealed memory.
 * @throws CodedError `kernel-refused` with the rule
 */
export async function openVerified(policy: KernelPolicy): Promise<SealedFile> {
  const opening = new Opening();
  const suffix = randomBytes(8).toString('hex');
  try {
    let step = stepKernel(policy, null, { kind: 'begin', phase: 'open', suffix });
    while (step.action.do !== 'done') {
      step = stepKernel(policy, step.state, await opening.act(step.action));
    }
    const image = step.action.outcome === 'booted' ? opening.take() : null;
    if (image !== null) return image;
    throw new CodedError(
      'kernel-refused',
      `${policy.destination} is not booted: ${step.rule}`,
      'stage the right file, or set the digest of the one that is meant',
    );
  } finally {
    await opening.close();
  }
}

/** One file on its way into sealed memory. */
class Opening {
  #source: number | null = null;
  #memory: number | null = null;
  #image: SealedFile | null = null;

  async act(action: StagingAction): Promise<StagingEvent> {
    try {
      switch (action.do) {
        case 'open':
          await this.#open(action.path);
          break;
        case 'copy-and-hash':
          return await this.#copy();
        case 'seal':
          seal(this.#memory as number);
          break;
        case 'boot':
          break;
        default:
          throw new Error(`opening a file never asks for ${action.do}`);
      }
      return { kind: 'result', error: null };
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (typeof code !== 'string') throw error;
      return { kind: 'result', error: code };
    }
  }

  /** A link is not followed, and a FIFO not waited for: what is no regular file is refused. */
  async #open(path: string): Promise<void> {
    this.#source = await openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(this.#source);
    if (stat.isDirectory()) throw Object.assign(new Error('a directory'), { code: 'EISDIR' });
    if (!stat.isFile()) throw Object.assign(new Error('no regular file'), { code: 'ENXIO' });
  }

  async #copy(): Promise<StagingEvent> {
    const [source, memory] = [this.#source as number, createMemfd('image')];
    this.#memory = memory;
    const size = fstatSync(source).size;
    const { sha256, octets } = await copySparse(source, memory, maxImageOctets);
    this.#image = { fd: memory, sha256, octets };
    return { kind: 'result', error: null, digest: sha256, complete: octets > 0 && octets === size };
  }

  /** The caller's from now on; null unless it was sealed. */
  take(): SealedFile | null {
    const image = this.#image;
    if (image === null || !isSealed(image.fd)) return null;
    this.#memory = null;
    return image;
  }

  async close(): Promise<void> {
    if (this.#source !== null) await closeFile(this.#source);
    if (this.#memory !== null) close(this.#memory);
  }
}
