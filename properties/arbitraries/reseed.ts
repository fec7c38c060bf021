/**
 * Generators of what a reseed is about: generations at the edges of their encodings, octets, devices,
 * clocks.
 */
import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { type Crowd, crowdDeadlineMs } from '../models/gate-crowd.ts';
import type { Guest } from '../models/guest-zoo.ts';
import { type Device, devices } from '../models/kernel-generator.ts';
import { malformationNames, proofForms } from '../models/reseed-guest.ts';

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

const malformed = fc.constantFrom(...malformationNames).map((how): Guest => ({ kind: 'malformed', how }));
const wrongProof = fc
  .constantFrom(...proofForms.filter((form) => form !== 'as specified'))
  .map((form): Guest => ({ kind: 'wrong proof', form }));
const slow = fc.constantFrom(0.5, 1, 1000, 3_600_000).map((lateMs): Guest => ({ kind: 'slow', lateMs }));
const stale = fc
  .record({
    by: fc.constantFrom(1, -1, 255, 256, 65_536, 2 ** 32, -(2 ** 32)),
    how: fc.constantFrom('field', 'proof', 'both'),
  })
  .map(({ by, how }): Guest => ({ kind: 'stale', by, field: how !== 'proof', proof: how !== 'field' }));

/** Guests that differ from what the gate wants in one thing. */
export const liar: fc.Arbitrary<Guest> = fc.oneof(
  fc.constantFrom<Guest>({ kind: 'lying boolean' }, { kind: 'silent' }, { kind: 'replaying' }),
  {
    weight: 2,
    arbitrary: fc.constantFrom<Guest>(
      { kind: "sibling's sample" },
      { kind: 'credited only' },
      { kind: 'reseed only' },
    ),
  },
  malformed,
  wrongProof,
  slow,
  stale,
);

/** Lies that the host-side witness alone shows. */
export const hiddenLiar = fc.constantFrom<Guest>(
  { kind: 'mixing' },
  { kind: 'inventing' },
  { kind: 'unread' },
  { kind: 'reseed only, inventing' },
);

/**
 * Up to four forks of a snapshot, at least one of them a liar, on a host that may be killed and a store
 * that may fail.
 */
export const crowd: fc.Arbitrary<Crowd> = fc.boolean().chain((hostWitness) => {
  const liars = hostWitness ? fc.oneof({ weight: 4, arbitrary: liar }, hiddenLiar) : liar;
  const guest = fc.oneof(
    { withCrossShrink: true },
    { weight: 1, arbitrary: fc.constant<Guest>({ kind: 'honest' }) },
    { weight: 3, arbitrary: liars },
  );
  const elapsedMs = fc.constantFrom(0, 1, crowdDeadlineMs - 1, crowdDeadlineMs);
  const nonce = fc.nat({ max: 0xffff }).map((n) => octetsOf(`nonce ${n}`));
  return fc.record({
    hostWitness: fc.constant(hostWitness),
    generation: generation.map((value) => Math.min(value, Number.MAX_SAFE_INTEGER - 8)),
    capacity: fc.oneof(
      { withCrossShrink: true },
      { weight: 4, arbitrary: fc.constant(1024) },
      fc.nat({ max: 3 }),
    ),
    failingInsert: fc.oneof(
      { withCrossShrink: true },
      { weight: 4, arbitrary: fc.constant(null) },
      fc.nat({ max: 2 }),
    ),
    crashAfter: fc.oneof(
      { withCrossShrink: true },
      { weight: 3, arbitrary: fc.constant(null) },
      fc.nat({ max: 2 }),
    ),
    forks: fc.array(fc.record({ guest, elapsedMs, nonce }), { minLength: 1, maxLength: 4 }),
  });
});
