/** Pins by when they expire: a binary heap in an array of plain JSON. The soonest is in front. */

export interface Expiry {
  readonly key: string;
  /** The pin lives until then at least, for all that was known when it was put here. Milliseconds. */
  readonly atMs: number;
}

/** What is sorted is a heap. */
export function heapOf(expiries: Expiry[]): Expiry[] {
  return expiries.sort((a, b) => a.atMs - b.atMs);
}

export function pushExpiry(heap: Expiry[], added: Expiry): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Expiry;
    if (parent.atMs <= added.atMs) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = added;
}

/** Takes the soonest out of a heap that has one. */
export function dropSoonest(heap: Expiry[]): void {
  const last = heap.pop() as Expiry;
  if (heap.length > 0) replaceSoonest(heap, last);
}

/** Puts another one in the place of the soonest. */
export function replaceSoonest(heap: Expiry[], added: Expiry): void {
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const isRight = right !== undefined && right.atMs < (left as Expiry).atMs;
    const sooner = isRight ? right : left;
    if (sooner === undefined || sooner.atMs >= added.atMs) break;
    heap[at] = sooner;
    at = 2 * at + (isRight ? 2 : 1);
  }
  heap[at] = added;
}
