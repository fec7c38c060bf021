/** The model does to siblings what facts.md measured. */
import { describe, expect, test } from 'vitest';
import { type ForkClock, type KernelCall, KernelGenerator } from './kernel-generator.ts';

const credit = (seed: string): KernelCall => ({ call: 'RNDADDENTROPY', entropyBits: 256, octets: seed });
const uncredited = (seed: string): KernelCall => ({ call: 'write-urandom', octets: seed });
const reseed: KernelCall = { call: 'RNDRESEEDCRNG' };
const seeds = ['11'.repeat(32), '22'.repeat(32)] as const;

/** Do two siblings read the same after these calls? */
function duplicates(clock: ForkClock, calls: (seed: string) => readonly KernelCall[], same = false): boolean {
  const [first, second] = seeds.map((seed, index) => {
    const kernel = KernelGenerator.fork('template', index, clock, 'working');
    for (const call of calls(same ? seeds[0] : seed)) kernel.execute(call);
    return kernel.read();
  });
  return first === second;
}

describe('two forks of one snapshot', () => {
  test.each<[string, (seed: string) => readonly KernelCall[]]>([
    ['nothing is done', () => []],
    ['a fresh seed is credited and no more', (seed) => [credit(seed)]],
    ['a fresh seed is written to /dev/urandom', (seed) => [uncredited(seed)]],
  ])('always read the same when %s', (_, calls) => {
    expect(duplicates('jitter', calls)).toBe(true);
  });

  test('differ after RNDRESEEDCRNG only by the jitter of the clock', () => {
    expect(duplicates('jitter', () => [reseed])).toBe(false);
    expect(duplicates('deterministic', () => [reseed])).toBe(true);
  });

  test('read the same when both were given one seed under a deterministic clock', () => {
    expect(duplicates('deterministic', (seed) => [credit(seed), reseed], true)).toBe(true);
  });

  test('never read the same after a fresh seed and a reseed', () => {
    expect(duplicates('deterministic', (seed) => [credit(seed), reseed])).toBe(false);
    expect(duplicates('jitter', (seed) => [credit(seed), reseed])).toBe(false);
  });

  test('show the VMM a generator that changed only after a reseed', () => {
    const kernel = KernelGenerator.fork('template', 0, 'jitter', 'working');
    kernel.execute(credit(seeds[0]));
    kernel.read();
    expect(kernel.witness('template').changed).toBe(false);
    kernel.execute(reseed);
    expect(kernel.witness('template').changed).toBe(true);
  });
});
