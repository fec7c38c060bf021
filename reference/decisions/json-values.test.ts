/** JSON of strangers: nothing coerced, nothing thrown, and one text for equal values. */
import { describe, expect, test } from 'vitest';
import { canonicalText, fieldOf, isObject, listOf, objectOf, textOf } from './json-values.ts';

/** Arrays within arrays, or objects within objects; depth 0 is the bare leaf. */
const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 'leaf';
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
};

describe('a value of a stranger', () => {
  test.each([[null], [undefined], [7], ['text'], [true], [[]], [['name']]])(
    '%j is never an object, has no field and is no list of its own making',
    (value) => {
      expect(isObject(value)).toBe(false);
      expect(objectOf(value)).toEqual({});
      expect(fieldOf(value, 'length')).toBeUndefined();
      expect(listOf(value)).toEqual(Array.isArray(value) ? value : []);
    },
  );

  test('is an object only by its own fields, never by those of its prototype', () => {
    const value = { name: 'own' };
    expect(isObject(value)).toBe(true);
    expect(objectOf(value)).toBe(value);
    expect(fieldOf(value, 'name')).toBe('own');
    expect(fieldOf(value, 'toString')).toBeUndefined();
    expect(fieldOf(value, '__proto__')).toBeUndefined();
  });

  test('is never coerced to text, and the empty text is none', () => {
    expect([7, true, null, undefined, ['a'], { a: 1 }, ''].map(textOf)).toEqual(Array(7).fill(null));
    expect(textOf('a')).toBe('a');
  });
});

describe('the canonical text', () => {
  test.each<[unknown, string]>([
    [undefined, 'null'],
    [null, 'null'],
    [true, 'true'],
    [-1.5, '-1.5'],
    ['a"b', '"a\\"b"'],
    [[], '[]'],
    [{}, '{}'],
    [[1, [2, 'x'], null], '[1,[2,"x"],null]'],
    [{ b: 1, a: [true], c: { e: 1, d: 2 } }, '{"a":[true],"b":1,"c":{"d":2,"e":1}}'],
    [{ a: 1, gone: undefined }, '{"a":1}'],
  ])('of %j is always %s', (value, text) => {
    expect(canonicalText(value)).toBe(text);
  });

  test('is always the same for the same fields in another order, and never for another value', () => {
    expect(canonicalText({ a: 1, b: [2, 3] })).toBe(canonicalText({ b: [2, 3], a: 1 }));
    expect(canonicalText([1, 23])).not.toBe(canonicalText([12, 3]));
    expect(canonicalText({ a: 'b' })).not.toBe(canonicalText({ a: ['b'] }));
  });

  test.each<[string, (inner: unknown) => unknown]>([
    ['lists', (inner) => [inner]],
    ['objects', (inner) => ({ inner })],
  ])('never exists for %s that are nested more than 64 deep', (_, wrap) => {
    expect(canonicalText(nested(64, wrap))).not.toBeNull();
    expect(canonicalText(nested(65, wrap))).toBeNull();
    expect(canonicalText([1, nested(64, wrap), 2])).toBeNull();
    expect(canonicalText({ a: 1, b: nested(64, wrap), c: 2 })).toBeNull();
    // Far deeper than a recursion without bound could go.
    expect(canonicalText(nested(200_000, wrap))).toBeNull();
  });
});
