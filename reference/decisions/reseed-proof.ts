/**
 * The sample and its proof: both sides of the reseed compute them here and nowhere else.
 * Invariant: the sample is bound to nothing, so that siblings with one generator state collide; only the
 * proof binds.
 */
import { hash } from 'node:crypto';
import {
  maxGeneration,
  maxSeedOctets,
  minSeedOctets,
  nonceOctets,
  proofLabel,
  sampleDrawOctets,
} from '#reference/contract/reseed.ts';

const hexDigest = /^[0-9a-f]{64}$/;
const hexOctets = /^(?:[0-9a-f]{2})*$/;
const labelOctets = Buffer.from(proofLabel);
const sampleAt = labelOctets.length;
const generationAt = sampleAt + 32;
const nonceAt = generationAt + 8;

/** SHA-256 in its one form: 64 lower-case hex digits. */
export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && hexDigest.test(text);
}

export function isNonce(text: string): boolean {
  return text.length === 2 * nonceOctets && hexOctets.test(text);
}

export function isSeed(text: string): boolean {
  return text.length >= 2 * minSeedOctets && text.length <= 2 * maxSeedOctets && hexOctets.test(text);
}

export function isGeneration(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxGeneration;
}

/** The sample of what was drawn (hex), or null when it is not 32 octets. */
export function sampleOf(drawn: string | undefined): string | null {
  if (drawn === undefined || drawn.length !== 2 * sampleDrawOctets || !hexOctets.test(drawn)) return null;
  return hash('sha256', Buffer.from(drawn, 'hex'));
}

/** SHA-256(label ‖ sample ‖ generation u64 big-endian ‖ nonce); all three have passed their checks above. */
export function proofOf(sample: string, generation: number, nonce: string): string {
  const message = Buffer.alloc(nonceAt + nonceOctets);
  labelOctets.copy(message, 0);
  message.write(sample, sampleAt, 'hex');
  message.writeBigUInt64BE(BigInt(generation), generationAt);
  message.write(nonce, nonceAt, 'hex');
  return hash('sha256', message);
}
