/** Generators of what a reseed is about: generations at the edges of their encodings, octets, devices, clocks. */
import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { type Device, devices } from '../models/kernel-generator.ts';

/** Octets that no other name gives, in hex: reads as its name in a counterexample. */
export function octetsOf(name: string, count = 32): string {
  let text = '';
  for (let block = 0; text.length < 2 * count; block++) text += hash('sha256', `${name} ${block}`);
  return text.slice(0, 2 * count);
}

/** Edges of u8, u16, u32 and of the integers that JSON carries. */
export const generation = fc.oneof(
  fc.constantFrom(1, 2, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1),
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);

export const device: fc.Arbitrary<Device> = fc.constantFrom(...devices);
export const clock = fc.constantFrom('jitter' as const, 'deterministic' as const);
