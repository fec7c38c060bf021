/**
 * JSON as strangers write it, and places in a real case to put it: what a decision must answer with a
 * verdict.
 */
import * as fc from 'fast-check';

/** As JSON.parse yields it: own `__proto__` keys, infinite numbers, the last of duplicate keys. */
const parsed = (text: string): unknown => JSON.parse(text);

/** Small values: each goes to every place. */
export const smallHostile: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  parsed('-0'),
  2 ** 53,
  1e308,
  parsed('1e999'),
  parsed('-1e999'),
  '',
  ' ',
  '0',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\ud800',
  '\udfff\ud83d',
  '‮ȧ́',
  '9999-99-99T99:99:99Z',
  '+275760-09-13T00:00:00.001Z',
  [],
  [null],
  [[]],
  {},
  parsed('{"__proto__":{"polluted":true}}'),
  parsed('{"constructor":{"prototype":{"polluted":true}}}'),
  // Number() and String() of these throw.
  parsed('{"toString":1,"valueOf":1}'),
  parsed('{"toString":null,"length":-1}'),
  parsed('{"hasOwnProperty":null,"toJSON":"x"}'),
  parsed('{"a":1,"a":null}'),
];

export function nested(depth: number, around: 'list' | 'object'): unknown {
  let value: unknown = 'end';
  for (let level = 0; level < depth; level++) value = around === 'list' ? [value] : { in: value };
  return value;
}

const megabyte = 1_048_576;

const labels = Object.fromEntries(
  Array.from({ length: megabyte / 64 }, (_, index) => [`label-${index}`, 'x'.repeat(48)]),
);

/** Large values: each goes to some places. */
export const largeHostile: readonly unknown[] = [
  'x'.repeat(megabyte),
  '\u0000'.repeat(megabyte / 8),
  '1.'.repeat(megabyte / 8),
  ':'.repeat(megabyte / 8),
  labels,
  Array.from({ length: 100_000 }, () => null),
  Array.from({ length: 100_000 }, (_, index) => ({ name: `${index}`, uid: `${index}`, ip: '10.0.0.1' })),
  Array.from({ length: 100_000 }, (_, index) => `entry-${index}`),
  nested(10_000, 'list'),
  nested(10_000, 'object'),
];

export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...smallHostile),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double({ noNaN: true }),
);

export type Path = readonly (string | number)[];

/** Every place of a value, itself first; at most `most`, evenly spread. */
export function placesOf(value: unknown, most: number): readonly Path[] {
  const places: Path[] = [];
  const visit = (part: unknown, path: Path) => {
    places.push(path);
    if (Array.isArray(part)) for (const [index, item] of part.entries()) visit(item, [...path, index]);
    else if (typeof part === 'object' && part !== null)
      for (const [key, field] of Object.entries(part)) visit(field, [...path, key]);
  };
  visit(value, []);
  const step = Math.max(1, places.length / most);
  return Array.from(
    { length: Math.min(most, places.length) },
    (_, index) => places[Math.floor(index * step)] ?? [],
  );
}

/** The value with something else at a place; what it was before, where the place is not there. */
export function put(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((item, index) => (index === key ? put(item, rest, replacement) : item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name === key ? put(field, rest, replacement) : field,
    ]),
  );
}
