/** The layout of the kernel's generator, by release, and what becomes of what was read. */
import { expect, test } from 'vitest';
import { generationOffset, generatorOctets, readGenerator } from './generator.ts';

test.for([
  ['6.1.0-56-cloud-amd64', 40],
  ['5.18.1', 40],
  ['6.2.0', 32],
  ['6.12.48+deb13-amd64', 32],
  ['7.0.0', 32],
  ['5.17.9', null],
  ['4.19.0', null],
  ['', null],
  ['six', null],
] as const)('of %s it is read at %j', ([release, offset]) => {
  expect(generationOffset(release)).toBe(offset);
});

test('what is read is the generation and a digest of the key, never the key', () => {
  const octets = Buffer.alloc(generatorOctets);
  octets.fill(0xab, 0, 32);
  octets.writeBigUInt64LE(9n, 40);
  const state = readGenerator(octets, 40);
  expect(state.generation).toBe('9');
  expect(state.keySha256).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.stringify(state)).not.toContain('abab');
  octets[31] = 0;
  expect(readGenerator(octets, 40).keySha256).not.toBe(state.keySha256);
});
