/**
 * A part of a snapshot on a disk, encrypted: AES-256-GCM, a MiB at a time, by a key of this file alone (HKDF-SHA256 of
 * the operator's key, a fresh salt, and the part's name).
 * Invariant: no octet of plaintext is passed on that was not authenticated in its place: its index is the nonce, the
 * part's length is bound to it. A chunk of zeros is not written, which shows where there are some; that the whole is
 * what it was is the manifest's digest to say.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { fstatSync, ftruncateSync } from 'node:fs';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import { chunkOctets, isZero, readChunkAt, writeAll } from '../sealed-files.ts';
import { mismatch } from './manifest.ts';
import type { StorageKey } from './storage-key.ts';

/** 32 octets in all, then the salt, then what tells this key from another. */
const magic = Buffer.alloc(32);
magic.write('mitos.run/encrypted-part/v1');
const saltOctets = 32;
const checkOctets = 32;
const headerOctets = magic.length + saltOctets + checkOctets;
const tagOctets = 16;
const nonceOctets = 12;
const cipher = 'aes-256-gcm';
const slotOctets = tagOctets + chunkOctets;

/** Of a part of so many octets. */
export const encryptedOctets = (octets: number) =>
  headerOctets + octets + tagOctets * Math.ceil(octets / chunkOctets);

interface PartKey {
  readonly key: Uint8Array;
  readonly check: Uint8Array;
}

function partKey(key: StorageKey, salt: Uint8Array, part: string): PartKey {
  const info = `mitos.run/snapshot-part/v1\0${part}`;
  const derived = new Uint8Array(hkdfSync('sha256', key, salt, info, 32 + checkOctets));
  return { key: derived.subarray(0, 32), check: derived.subarray(32) };
}

/** Nonces are a file's own: its key is. */
function placeOf(index: number, octets: number): { readonly nonce: Buffer; readonly bound: Buffer } {
  const nonce = Buffer.alloc(nonceOctets);
  nonce.writeBigUInt64BE(BigInt(index), nonceOctets - 8);
  const bound = Buffer.alloc(8);
  bound.writeBigUInt64BE(BigInt(octets));
  return { nonce, bound };
}

/**
 * @param from sealed memory
 * @returns digest and length of the plaintext
 */
export async function encryptPart(
  from: number,
  to: number,
  part: string,
  key: StorageKey,
): Promise<{ readonly sha256: string; readonly octets: number }> {
  const octets = fstatSync(from).size;
  const salt = randomBytes(saltOctets);
  const own = partKey(key, salt, part);
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(chunkOctets);
  try {
    await writeAll(to, Buffer.concat([magic, salt, own.check]), 0);
    for (let at = 0, index = 0; at < octets; at += chunkOctets, index++) {
      const chunk = await readChunkAt(from, buffer.subarray(0, Math.min(chunkOctets, octets - at)), at);
      hash.update(chunk);
      if (isZero(chunk)) continue;
      const { nonce, bound } = placeOf(index, octets);
      const encrypting = createCipheriv(cipher, own.key, nonce, { authTagLength: tagOctets }).setAAD(bound);
      const text = Buffer.concat([encrypting.update(chunk), encrypting.final()]);
      await writeAll(to, Buffer.concat([encrypting.getAuthTag(), text]), headerOctets + index * slotOctets);
    }
    ftruncateSync(to, encryptedOctets(octets));
    return { sha256: hash.digest('hex'), octets };
  } finally {
    buffer.fill(0);
    own.key.fill(0);
  }
}

/** Whether a file begins as an encrypted part does. */
export async function isEncrypted(fd: number): Promise<boolean> {
  if (fstatSync(fd).size < headerOctets) return false;
  return magic.equals(await readChunkAt(fd, Buffer.alloc(magic.length), 0));
}

/**
 * Into sealed memory.
 * @param octets of the plaintext, as the manifest says
 * @throws CodedError `snapshot-mismatch`
 */
export async function decryptPart(
  from: number,
  part: string,
  octets: number,
  key: StorageKey,
): Promise<SealedFile> {
  if (!(await isEncrypted(from)))
    throw mismatch(`${part}.encryption`, 'it is not encrypted, and here is a key');
  if (fstatSync(from).size !== encryptedOctets(octets)) throw mismatch(`${part}.octets`, 'another length');
  const header = Buffer.alloc(headerOctets);
  await readChunkAt(from, header, 0);
  const own = partKey(key, header.subarray(magic.length, magic.length + saltOctets), part);
  const fd = createMemfd(part);
  try {
    if (!timingSafeEqual(own.check, header.subarray(magic.length + saltOctets))) {
      throw mismatch(`${part}.key`, 'it was encrypted with another key, or its header is damaged');
    }
    const sha256 = await decryptChunks(from, fd, part, octets, own.key);
    seal(fd);
    return { fd, sha256, octets };
  } catch (error) {
    close(fd);
    throw error;
  } finally {
    own.key.fill(0);
  }
}

/** @returns the digest of the plaintext */
async function decryptChunks(
  from: number,
  to: number,
  part: string,
  octets: number,
  key: Uint8Array,
): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(slotOctets);
  for (let at = 0, index = 0; at < octets; at += chunkOctets, index++) {
    const length = Math.min(chunkOctets, octets - at);
    const slot = await readChunkAt(
      from,
      buffer.subarray(0, tagOctets + length),
      headerOctets + index * slotOctets,
    );
    // No chunk of another kind has a tag of zeros and octets of zeros.
    const chunk = isZero(slot) ? slot.subarray(tagOctets) : decrypted(slot, index, octets, part, key);
    hash.update(chunk);
    if (!isZero(chunk)) await writeAll(to, chunk, at);
    chunk.fill(0);
  }
  ftruncateSync(to, octets);
  return hash.digest('hex');
}

function decrypted(slot: Buffer, index: number, octets: number, part: string, key: Uint8Array): Buffer {
  const { nonce, bound } = placeOf(index, octets);
  try {
    const decrypting = createDecipheriv(cipher, key, nonce, { authTagLength: tagOctets })
      .setAAD(bound)
      .setAuthTag(slot.subarray(0, tagOctets));
    return Buffer.concat([decrypting.update(slot.subarray(tagOctets)), decrypting.final()]);
  } catch {
    // Node says no more than that it does not fit.
    throw mismatch(`${part}.encryption`, `its chunk ${index} is not the one that was written there`);
  }
}
