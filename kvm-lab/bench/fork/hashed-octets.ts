/**
 * Counts the octets that this process hashes, whoever asks for it: every way into Node's digests is listened to.
 * Imported before whatever hashes. Threads are not counted: none of ours hashes.
 */
import crypto, { Hash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

let counted = 0;

export const hashedOctets = (): number => counted;

const lengthOf = (data: unknown): number =>
  typeof data === 'string' ? Buffer.byteLength(data) : ((data as ArrayBufferView).byteLength ?? 0);

const { update } = Hash.prototype;
Hash.prototype.update = function (this: Hash, ...parameters: Parameters<Hash['update']>): Hash {
  counted += lengthOf(parameters[0]);
  return update.apply(this, parameters);
} as typeof update;

const { hash } = crypto;
crypto.hash = ((...parameters: Parameters<typeof hash>) => {
  counted += lengthOf(parameters[1]);
  return hash(...parameters);
}) as typeof hash;

const { digest } = crypto.subtle;
crypto.subtle.digest = function (this: typeof crypto.subtle, ...parameters: Parameters<typeof digest>) {
  counted += lengthOf(parameters[1]);
  return digest.apply(this, parameters);
} as typeof digest;

syncBuiltinESMExports();
