/** Octets out of shared blocks: zeros, nobody else's, and copies that stay as they were. */
import { expect, test } from 'vitest';
import { copyOctets, freshOctets } from './octet-block.ts';

test('never gives an octet twice, across blocks', () => {
  const given = Array.from({ length: 300 }, (_, index) => freshOctets(1_000).fill(index & 255));
  for (const [index, octets] of given.entries()) {
    expect(octets.length).toBe(1_000);
    expect(octets.every((octet) => octet === (index & 255))).toBe(true);
  }
  expect(freshOctets(70_000).every((octet) => octet === 0)).toBe(true);
  expect(freshOctets(10).every((octet) => octet === 0)).toBe(true);
});

test.each([0, 1, 128, 129, 40_000])('copies %i octets, whole or from the beginning', (length) => {
  const from = Uint8Array.from({ length: length + 7 }, (_, index) => index * 31);
  const [whole, part] = [copyOctets(from), copyOctets(from, length)];
  expect(whole).toEqual(from);
  expect(part).toEqual(from.slice(0, length));
  from.fill(255);
  expect(part.every((octet, index) => octet === ((index * 31) & 255))).toBe(true);
});
