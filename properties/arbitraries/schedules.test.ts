/** A schedule's number always names one order. */
import { expect, test } from 'vitest';
import { schedulerOf } from './schedules.ts';

async function orderOf(number: number): Promise<number[]> {
  const scheduler = schedulerOf(number);
  const order: number[] = [];
  for (let task = 0; task < 8; task++)
    void scheduler.schedule(Promise.resolve(task)).then((done) => order.push(done));
  await scheduler.waitIdle();
  return order;
}

test('one number always gives one order, another number another', async () => {
  expect(await orderOf(7)).toEqual(await orderOf(7));
  expect(await orderOf(7)).not.toEqual(await orderOf(8));
  expect([...(await orderOf(8))].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
