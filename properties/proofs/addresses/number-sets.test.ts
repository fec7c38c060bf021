/** Sets of numbers against plain ones: every subset operation over all numbers of eight bits. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NumberSet, NumberSets } from './number-sets.ts';

const width = 8;
const numbers = Array.from({ length: 1 << width }, (_, value) => value);
const sets = new NumberSets(width);

function setOf(members: readonly number[]): NumberSet {
  const one = (value: number) =>
    sets.all(sets.bits.map((bit, at) => (((value >> (width - 1 - at)) & 1) === 1 ? bit : sets.not(bit))));
  return sets.any(members.map(one));
}

const subset = fc.uniqueArray(fc.nat(numbers.length - 1), { maxLength: numbers.length });
const runs = { seed: 5, numRuns: 100 };

describe('a set of numbers', () => {
  test('always holds its members, knows how many they are, the lowest and their intervals', () => {
    fc.assert(
      fc.property(subset, (members) => {
        const set = setOf(members);
        const sorted = members.toSorted((a, b) => a - b);
        expect(numbers.filter((value) => sets.holds(set, BigInt(value)))).toEqual(sorted);
        expect(sets.size(set)).toBe(BigInt(members.length));
        expect(sets.lowest(set)).toBe(sorted[0] === undefined ? null : BigInt(sorted[0]));
        const intervals = sets.intervals(set);
        const inside = intervals.flatMap(({ first, last }) =>
          Array.from({ length: Number(last - first) + 1 }, (_, index) => Number(first) + index),
        );
        expect(inside).toEqual(sorted);
        for (const [at, { first }] of intervals.entries()) {
          if (at > 0) expect(first - (intervals[at - 1]?.last ?? 0n)).toBeGreaterThan(1n);
        }
      }),
      runs,
    );
  });

  test('always is the same number as another exactly when it has the same members', () => {
    fc.assert(
      fc.property(subset, subset, (one, other) => {
        const same = one.toSorted().join() === other.toSorted().join();
        expect(setOf(one) === setOf(other)).toBe(same);
        expect(setOf(one)).toBe(setOf(one.toReversed()));
      }),
      runs,
    );
  });

  test('never has a bit beyond its width', () => {
    expect(() => sets.bit(width)).toThrow(RangeError);
  });
});
