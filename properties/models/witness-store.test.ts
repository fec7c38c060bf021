/** The model of the store: all keys or none. */
import { expect, test } from 'vitest';
import { WitnessStore } from './witness-store.ts';

test('a store inserts all keys or none, per snapshot, and only as many as it holds', () => {
  const store = new WitnessStore(3, [4]);
  expect(store.insert('a', 1, ['x', 'y'])).toBe('inserted');
  expect(store.insert('a', 2, ['z', 'x'])).toBe('present');
  expect(store.insert('b', 2, ['x'])).toBe('inserted');
  expect(store.insert('a', 3, ['v', 'w'])).toBe('full');
  expect(store.insert('a', 4, ['z'])).toBe('failed');
  expect(store.insert('a', 5, ['z'])).toBe('inserted');
});
