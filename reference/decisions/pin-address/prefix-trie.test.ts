/** The trie against a list of prefixes that is searched from its end: the same leaf for every address. */
import { describe, expect, test } from 'vitest';
import { PrefixTrie } from './prefix-trie.ts';

type Painting = readonly [prefix: readonly number[], lengthBits: number, leaf: number];

function painted(paintings: readonly Painting[], trie = new PrefixTrie(0)): PrefixTrie {
  for (const [prefix, lengthBits, leaf] of paintings) {
    trie.paint(Uint8Array.from(prefix), lengthBits, () => leaf);
  }
  return trie;
}

const bitOf = (octets: readonly number[], bit: number) => ((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
const covers = ([prefix, lengthBits]: Painting, address: readonly number[]) =>
  Array.from({ length: lengthBits }, (_, bit) => bit).every(
    (bit) => bitOf(prefix, bit) === bitOf(address, bit),
  );

const paintings: Painting[] = [
  [[0, 0, 0, 0], 0, 1],
  [[10, 0, 0, 0], 8, 2],
  [[10, 128, 0, 0], 9, 3],
  [[10, 128, 64, 0], 18, 4],
  [[10, 200, 1, 7], 32, 5],
  [[172, 16, 0, 0], 12, 6],
  [[255, 255, 255, 254], 31, 7],
  [[128, 0, 0, 0], 1, 8],
  [[10, 0, 0, 0], 7, 9],
  [[10, 200, 1, 8], 29, 10],
];
const edges = [0, 1, 7, 8, 9, 10, 11, 12, 63, 64, 65, 127, 128, 129, 172, 199, 200, 201, 254, 255];

describe('the trie', () => {
  test('always finds what was painted last over an address', () => {
    for (let count = 1; count <= paintings.length; count++) {
      const some = paintings.slice(0, count);
      const trie = painted(some);
      for (const a of edges) {
        for (const b of [0, 16, 31, 32, 128, 200, 255]) {
          for (const [c, d] of [
            [0, 0],
            [1, 7],
            [1, 8],
            [1, 15],
            [64, 0],
            [127, 255],
            [255, 253],
            [255, 254],
            [255, 255],
          ] as const) {
            const address = [a, b, c, d];
            const expected = some.findLast((painting) => covers(painting, address))?.[2] ?? 0;
            expect(trie.lookup(Uint8Array.from(address), 0), address.join('.')).toBe(expected);
          }
        }
      }
    }
  });

  test('always begins at the offset', () => {
    const trie = painted(paintings.slice(0, 5));
    expect(trie.lookup(Uint8Array.of(9, 9, 10, 200, 1, 7, 9), 2)).toBe(5);
    expect(trie.lookup(Uint8Array.of(9, 9, 10, 200, 1, 9, 9), 2)).toBe(3);
  });

  test('always tells the old leaf to the change, for every leaf under the prefix', () => {
    const trie = painted([
      [[10, 0, 0, 0], 8, 2],
      [[10, 1, 0, 0], 16, 3],
    ]);
    const seen = new Set<number>();
    trie.paint(Uint8Array.of(10, 0, 0, 0), 8, (leaf) => {
      seen.add(leaf);
      return leaf + 100;
    });
    expect([...seen].sort()).toEqual([2, 3]);
    expect(trie.lookup(Uint8Array.of(10, 1, 2, 3), 0)).toBe(103);
    expect(trie.lookup(Uint8Array.of(10, 2, 2, 3), 0)).toBe(102);
    expect(trie.lookup(Uint8Array.of(11, 2, 2, 3), 0)).toBe(0);
  });

  test('always holds as many nodes as it needs', () => {
    const many: Painting[] = Array.from({ length: 100 }, (_, index) => [
      [index, index, index, index],
      32,
      index + 1,
    ]);
    const trie = painted(many);
    for (let index = 0; index < 100; index++) {
      expect(trie.lookup(Uint8Array.of(index, index, index, index), 0)).toBe(index + 1);
      expect(trie.lookup(Uint8Array.of(index, index, index, index + 1), 0)).toBe(0);
    }
  });

  test('is never changed by a change of its copy, nor the other way round', () => {
    const trie = painted(paintings.slice(0, 5));
    const copy = trie.clone();
    painted(
      [
        [[10, 200, 1, 7], 32, 50],
        [[99, 0, 0, 0], 24, 51],
      ],
      copy,
    );
    painted([[[10, 0, 0, 0], 8, 60]], trie);
    const address = Uint8Array.of(10, 200, 1, 7);
    expect([trie.lookup(address, 0), copy.lookup(address, 0)]).toEqual([60, 50]);
    expect([trie.lookup(Uint8Array.of(99, 0, 0, 1), 0), copy.lookup(Uint8Array.of(99, 0, 0, 1), 0)]).toEqual([
      1, 51,
    ]);
    expect(copy.lookup(Uint8Array.of(10, 1, 1, 1), 0)).toBe(2);
  });
});
