/**
 * The key that snapshots on a disk are encrypted with, as the operator gives it.
 * Invariant: it is in no message and no log, its octets are wiped when the key is made of them, and no program that
 * this process starts has the descriptor that it came by.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { isBlocking, isReadable, passedDescriptor } from '#reference/base/passed-descriptor.ts';

/** As Node keeps a key: it is shown by nothing that prints an object. */
export type StorageKey = KeyObject;

const keyOctets = 32;
const hexForm = /^[0-9a-f]{64}\n?$/i;
/** Longer than either form. */
const maxOctets = 2 * keyOctets + 2;
/** Until who gives it has written all of it and hung up. */
const keyDeadlineMs = 10_000;

function badKey(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'bad-storage-key',
    `the key for snapshots ${what}`,
    'give 32 octets, or 64 hexadecimal digits, in a file of mode 0600: openssl rand -hex 32',
    { cause },
  );
}

/**
 * @param source a file's path, or `fd:N`: a descriptor that this process was given, such as of a pipe; it is closed
 * @throws CodedError `bad-storage-key`
 */
export function readStorageKey(source: string, deadlineMs = keyDeadlineMs): StorageKey {
  let given: number | null;
  let fd: number;
  try {
    given = passedDescriptor(source);
    // A FIFO is not waited for: it is no file.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    fd = given ?? openSync(source, flags);
  } catch (cause) {
    throw badKey('cannot be opened', cause);
  }
  const stat = fstatSync(fd);
  // What is none is not closed either: Node would end with its own.
  if (given !== null && !((stat.isFile() || stat.isFIFO() || stat.isSocket()) && isBlocking(given))) {
    throw badKey('is no file, pipe or socket that was passed and waits');
  }
  const octets = Buffer.alloc(maxOctets);
  try {
    if (given === null && (!stat.isFile() || (stat.mode & 0o077) !== 0)) {
      throw badKey('is no file of its owner alone');
    }
    return keyOf(octets, readAll(fd, octets, deadlineMs));
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    throw badKey('cannot be read', cause);
  } finally {
    octets.fill(0);
    closeSync(fd);
  }
}

function readAll(fd: number, into: Buffer, deadlineMs: number): number {
  const until = performance.now() + deadlineMs;
  for (let held = 0; held < into.length; ) {
    const leftMs = Math.ceil(until - performance.now());
    if (leftMs <= 0 || !isReadable(fd, leftMs)) throw badKey(`did not end within ${deadlineMs} ms`);
    const read = readSync(fd, into, held, into.length - held, null);
    if (read === 0) return held;
    held += read;
  }
  return into.length;
}

function keyOf(octets: Buffer, length: number): StorageKey {
  if (length === keyOctets) return createSecretKey(octets.subarray(0, keyOctets));
  if (!hexForm.test(octets.toString('latin1', 0, length))) throw badKey('has neither of its two forms');
  const decoded = Buffer.from(octets.toString('latin1', 0, 2 * keyOctets), 'hex');
  try {
    return createSecretKey(decoded);
  } finally {
    decoded.fill(0);
  }
}
