/**
 * The key that snapshots on a disk are encrypted with, as the operator gives it.
 * Invariant: it is in no message and no log, and its octets are wiped when the key is made of them.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

/** As Node keeps a key: it is shown by nothing that prints an object. */
export type StorageKey = KeyObject;

const keyOctets = 32;
const hexForm = /^[0-9a-f]{64}\n?$/i;
/** Longer than either form. */
const maxOctets = 2 * keyOctets + 2;

function badKey(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'bad-storage-key',
    `the key for snapshots ${what}`,
    'give 32 octets, or 64 hexadecimal digits, in a file of mode 0600: openssl rand -hex 32',
    { cause },
  );
}

const descriptorForm = /^fd:(\d{1,6})$/;

/**
 * @param source a file's path, or `fd:N`: a descriptor that this process was given, such as of a pipe; it is closed
 * @throws CodedError `bad-storage-key`
 */
export function readStorageKey(source: string): StorageKey {
  const given = descriptorForm.exec(source)?.[1];
  let fd: number;
  try {
    fd = given === undefined ? openSync(source, constants.O_RDONLY | constants.O_NOFOLLOW) : Number(given);
  } catch (cause) {
    throw badKey('cannot be opened', cause);
  }
  const octets = Buffer.alloc(maxOctets);
  try {
    const stat = fstatSync(fd);
    if (given === undefined && (!stat.isFile() || (stat.mode & 0o077) !== 0)) {
      throw badKey('is no file of its owner alone');
    }
    return keyOf(octets, readAll(fd, octets));
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    throw badKey('cannot be read', cause);
  } finally {
    octets.fill(0);
    // Where there is none, the reading has said so.
    if (isOpen(fd)) closeSync(fd);
  }
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

function readAll(fd: number, into: Buffer): number {
  for (let held = 0; held < into.length; ) {
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
