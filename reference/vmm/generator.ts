/**
 * The guest kernel's random generator, read from outside: `base_crng` of drivers/char/random.c.
 * Invariant: the key itself is hashed here and goes nowhere else.
 */
import { createHash } from 'node:crypto';
import type { GeneratorState } from '#reference/contract/vmm-port.ts';

const keyOctets = 32;
/** Enough for both layouts. */
export const generatorOctets = 48;

/**
 * Offset of `generation`: since 5.18 behind `key` and `birth`, since 6.2 behind `key` alone (a delayed work renews it).
 * null: a kernel whose generator is of another make.
 */
export function generationOffset(kernelRelease: string): number | null {
  const [, major, minor] = /^(\d+)\.(\d+)\b/.exec(kernelRelease) ?? [];
  if (major === undefined || minor === undefined) return null;
  const version = Number(major) * 1_000 + Number(minor);
  if (version < 5_018) return null;
  return version < 6_002 ? keyOctets + 8 : keyOctets;
}

/** @param octets `generatorOctets` of them */
export function readGenerator(octets: Buffer, offset: number): GeneratorState {
  return {
    generation: octets.readBigUInt64LE(offset).toString(),
    keySha256: createHash('sha256').update(octets.subarray(0, keyOctets)).digest('hex'),
  };
}
