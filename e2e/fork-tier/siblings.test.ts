/** Which siblings are judged, when some of them share a part. */
import { expect, test } from 'vitest';
import type { Draws } from './shares.ts';
import { sharingMost } from './siblings.ts';

const all: readonly Draws[] = [{ urandom: ['a', 'b'] }, { urandom: ['a', 'b'] }];
const half: readonly Draws[] = [{ urandom: ['a', 'b'] }, { urandom: ['a', 'c'] }];
const none: readonly Draws[] = [{ urandom: ['a', 'b'] }, { urandom: ['c', 'd'] }];

test.each([
  ['who shares nothing is asked once', [none, all], none, 1],
  ['who shares all is asked once', [all, none], all, 1],
  ['a part is asked again, and all of it is judged', [half, all], all, 2],
  ['a part that was shared once is never lost to siblings that share nothing', [half, none], half, 2],
  ['a part is asked three times at most', [half, half, half, all], half, 3],
] as const)('%s', async (_, draws, judged, asked) => {
  const left = [...draws];
  const { siblings } = await sharingMost(() => Promise.resolve(left.shift() ?? []));
  expect(siblings).toBe(judged);
  expect(draws.length - left.length).toBe(asked);
});
