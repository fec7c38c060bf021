/** Deadlines that come in order, and so many a second. */
import { describe, expect, test } from 'vitest';
import { DeadlineQueue } from './deadline-queue.ts';
import { TokenBucket } from './token-bucket.ts';

describe('a queue of deadlines', () => {
  test('always gives what is due, in order, and says when the next is', () => {
    const queue = new DeadlineQueue<string>(100);
    expect(queue.nextMs).toBe(Number.POSITIVE_INFINITY);
    queue.set('a', 0);
    queue.set('b', 5);
    expect([queue.take(99.9), queue.nextMs]).toEqual([null, 100]);
    expect([queue.take(100), queue.take(100), queue.nextMs]).toEqual(['a', null, 105]);
    expect([queue.take(200), queue.take(200)]).toEqual(['b', null]);
  });

  test('gives up what is over at its head, and never what is behind one that is not', () => {
    const queue = new DeadlineQueue<string>(100);
    for (const [index, item] of ['x', 'x', 'a', 'x'].entries()) queue.set(item, index);
    queue.drop((item) => item === 'x');
    expect(queue.nextMs).toBe(102);
    expect([queue.take(500), queue.take(500), queue.take(500)]).toEqual(['a', 'x', null]);
    queue.drop(() => true);
    expect(queue.nextMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('keeps its order through thousands, and lets go of them', () => {
    const queue = new DeadlineQueue<number>(10);
    for (let index = 0; index < 5_000; index++) {
      queue.set(index, index);
      if (index >= 10) expect(queue.take(index)).toBe(index - 10);
    }
    expect(queue.nextMs).toBe(5_000);
  });
});

describe('a bucket of tokens', () => {
  test('gives a second’s worth at once, then as time passes, and never saves up more', () => {
    const bucket = new TokenBucket(2, 0);
    expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, false]);
    expect([bucket.take(499), bucket.take(500), bucket.take(500)]).toEqual([false, true, false]);
    expect([bucket.isFull(1_499), bucket.isFull(1_500)]).toEqual([false, true]);
    expect([1, 2, 3].map(() => bucket.take(60_000))).toEqual([true, true, false]);
  });
});
