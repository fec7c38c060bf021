/** What two forks share is found wherever it begins, and never taken from what one of them prints twice. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { controlled, halves, isReading } from './reading.ts';
import { freshOctets, octetsOf, sharedRun } from './shared-octets.ts';

const fork = (n: number, ...reads: Buffer[]) => ({ fork: n, reads });

describe('what two forks share', () => {
  // Beside it nothing is the same by chance: it begins as no other read does.
  const same = Buffer.concat([Buffer.of(200), randomBytes(47)]);

  test('is found at any octet of any read, and shown whole', () => {
    const one = fork(1, randomBytes(32), Buffer.concat([randomBytes(5), same, Buffer.of(1), randomBytes(8)]));
    const other = fork(2, Buffer.concat([same, Buffer.of(2), randomBytes(2)]), randomBytes(32));
    const shared = sharedRun(one, other);
    expect(shared?.octets.equals(same)).toBe(true);
    expect(shared?.places).toEqual(['fork 1, read 2, octet 5', 'fork 2, read 1, octet 0']);
  });

  test('is nothing when 15 octets are the same', () => {
    const short = same.subarray(0, 15);
    const one = fork(1, Buffer.concat([Buffer.from([1]), short, Buffer.from([2])]), randomBytes(32));
    expect(sharedRun(one, fork(2, Buffer.concat([short, Buffer.from([3])]), randomBytes(32)))).toBeNull();
  });

  test.each([
    ['a sentence', 'random octets of this sandbox: '],
    ['a word', 'getrandom: '],
  ])('is never %s that each read of one fork has, nor that and the octet beside it', (_, words) => {
    const label = Buffer.from(words);
    // Of a sentence and one random octet, that octet is the same by chance in one of 256.
    const read = (first: number) => Buffer.concat([label, Buffer.of(first), randomBytes(31)]);
    expect(sharedRun(fork(1, read(1), read(2)), fork(2, read(1), read(3)))).toBeNull();
    const drawn = Buffer.concat([label, same]);
    const shared = sharedRun(fork(1, drawn, read(2)), fork(2, drawn, read(3)));
    expect(shared?.octets.equals(same)).toBe(true);
  });
});

test('hex digits, UUIDs and raw octets of one fork are told as the same octets', () => {
  const octets = randomBytes(32);
  const hex = octets.toString('hex');
  expect(octetsOf(Buffer.from(`${hex}\n`)).equals(octets)).toBe(true);
  expect(octetsOf(Buffer.from(`${hex.slice(0, 8)}-${hex.slice(8)}\n`)).equals(octets)).toBe(true);
  expect(octetsOf(octets).equals(octets)).toBe(true);
  expect(octetsOf(Buffer.from('abc')).toString()).toBe('abc');
});

describe('the positive control', () => {
  test('takes reads of one fork that differ', () => {
    expect(isReading(controlled(fork(1, randomBytes(32), randomBytes(64)), 32))).toBe(true);
    expect(isReading(controlled(halves(1, randomBytes(64)), 32))).toBe(true);
  });

  test.each([
    ['too few octets', fork(1, randomBytes(32), randomBytes(31)), /gave 31 random octets, and 32/],
    ['none at all', fork(1, Buffer.alloc(0), Buffer.alloc(0)), /gave 0 random octets/],
    ['zeros', halves(1, Buffer.alloc(128)), /the same octets twice/],
    ['the same again', halves(1, Buffer.concat([Buffer.alloc(64, 'abcdefgh'), randomBytes(64)])), /twice/],
  ])('refuses %s', (_, reads, said) => {
    const reading = controlled(reads, 32);
    expect(isReading(reading) ? '' : reading.reason).toMatch(said);
  });

  test('counts only octets that a fork prints once', () => {
    const fixed = randomBytes(40);
    const reads = fork(1, Buffer.concat([fixed, randomBytes(32)]), Buffer.concat([fixed, randomBytes(32)]));
    expect(freshOctets(reads)).toBeGreaterThanOrEqual(32);
    expect(freshOctets(reads)).toBeLessThan(72);
  });
});
