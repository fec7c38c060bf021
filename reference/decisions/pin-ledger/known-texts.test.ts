/** What is remembered of texts: each in its place, and never more than the bound. */
import { describe, expect, test } from 'vitest';
import { KnownTexts } from './known-texts.ts';

describe('a text', () => {
  test('is always found again under its group and its name, and nowhere else', () => {
    const known = new KnownTexts(9);
    expect(known.find(0, 'a')).toBeUndefined();
    expect(known.keep(0, 'a', 'a of 0')).toBe('a of 0');
    expect(known.keep(1, 'a', 'a of 1')).toBe('a of 1');
    known.keep(0, 'b', 'b of 0');
    expect([known.find(0, 'a'), known.find(1, 'a'), known.find(0, 'b')]).toEqual([
      ...['a of 0', 'a of 1', 'b of 0'],
    ]);
    expect([known.find(1, 'b'), known.find(2, 'a'), known.find(0, '')]).toEqual(Array(3).fill(undefined));
  });

  test('is never kept with more others than the bound allows: then all are forgotten', () => {
    const known = new KnownTexts(2);
    const names = ['a', 'b', 'c', 'd', 'e'];
    const found = names.map((name, index) => {
      known.keep(index % 2, name, name);
      return names.filter((one, at) => known.find(at % 2, one) === one).join('');
    });
    expect(found).toEqual(['a', 'ab', 'c', 'cd', 'e']);
  });
});
