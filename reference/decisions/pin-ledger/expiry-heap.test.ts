/** The order of expiries: whatever is put in, the soonest is in front. */
import { describe, expect, test } from 'vitest';
import { dropSoonest, type Expiry, heapOf, pushExpiry, replaceSoonest } from './expiry-heap.ts';

const expiry = (atMs: number): Expiry => ({ key: `at ${atMs}`, atMs });
/** Each number below 101 once, up and down. */
const scrambled = Array.from({ length: 101 }, (_, index) => expiry((index * 37) % 101));
const ascending = scrambled.map((_, index) => expiry(index));

/** All of it, the soonest first. */
function drained(heap: Expiry[]): Expiry[] {
  const order: Expiry[] = [];
  for (let [first] = heap; first !== undefined; [first] = heap) {
    order.push(first);
    dropSoonest(heap);
  }
  return order;
}

describe('the soonest expiry', () => {
  test('is always in front of what was pushed, in whatever order', () => {
    for (const added of [scrambled, ascending, ascending.toReversed()]) {
      const heap: Expiry[] = [];
      for (const one of added) {
        pushExpiry(heap, one);
        expect(heap[0]?.atMs).toBe(Math.min(...heap.map(({ atMs }) => atMs)));
      }
      expect(drained(heap)).toEqual(ascending);
    }
  });

  test('is always in front of what was there from the beginning', () => {
    expect(drained(heapOf([...scrambled]))).toEqual(ascending);
  });

  test('is always in front when the one before it was replaced', () => {
    const heap = heapOf([...scrambled]);
    for (const { atMs } of ascending) {
      expect(heap[0]?.atMs).toBe(atMs);
      replaceSoonest(heap, expiry(101 + ((atMs * 37) % 101)));
    }
    expect(drained(heap)).toEqual(ascending.map(({ atMs }) => expiry(101 + atMs)));
  });

  test('never takes one of its equals with it', () => {
    const heap: Expiry[] = [];
    for (const key of ['a', 'b', 'c']) pushExpiry(heap, { key, atMs: 5 });
    const keys = drained(heap).map(({ key }) => key);
    expect(keys.sort()).toEqual(['a', 'b', 'c']);
  });
});
