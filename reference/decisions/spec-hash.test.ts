/** The hash of a spec: of its canonical JSON, and of nothing that is no spec. */
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { specHashOf } from './spec-hash.ts';

describe('the hash of a spec', () => {
  test('is always that of its canonical JSON', () => {
    expect(specHashOf({ b: 1, a: [2] })).toBe(hash('sha256', '{"a":[2],"b":1}'));
    expect(specHashOf({})).toBe(hash('sha256', '{}'));
  });

  test('is never that of anything but an object, nor of one that is nested too deeply', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 70; depth++) deep = [deep];
    expect([null, undefined, 'text', 7, [], [{}], { deep }].map(specHashOf)).toEqual(Array(7).fill(null));
  });
});
