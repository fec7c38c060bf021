/** The elements of a set as ranges of keys, from the kernel's interval ends or from written ranges. */
import type { Bytes, SetElement } from './ruleset.ts';

export interface RawElement extends Omit<SetElement, 'from' | 'to'> {
  readonly key: Bytes;
  /** Of concatenated ranges. */
  readonly keyEnd: Bytes | null;
  /** Not an element: the first key after the interval that began before it. */
  readonly endsInterval: boolean;
}

/**
 * The kernel's interval sets hold the first key of each interval and, as an element of its own, the first
 * key after it; an interval that nothing ends reaches to the last key.
 */
export function closeIntervals(raw: readonly RawElement[]): SetElement[] {
  const sorted = [...raw].sort(
    (a, b) => compareBytes(a.key, b.key) || Number(b.endsInterval) - Number(a.endsInterval),
  );
  const closed: SetElement[] = [];
  let open: RawElement | null = null;
  const close = (to: Bytes) => {
    if (open !== null) closed.push(ranged(open, to));
  };
  for (const element of sorted) {
    if (open !== null) close(before(element.key));
    open = element.endsInterval ? null : element;
  }
  if (open !== null) close(open.key.map(() => 0xff));
  return closed;
}

export function ranged({ key, value, verdict, expressions }: RawElement, to: Bytes): SetElement {
  return { from: key, to, value, verdict, expressions };
}

export function compareBytes(a: Bytes, b: Bytes): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] as number) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The key one below. */
export function before(key: Bytes): Bytes {
  const made = [...key];
  for (let i = made.length - 1; i >= 0; i -= 1) {
    const byte = made[i] as number;
    made[i] = (byte + 255) & 0xff;
    if (byte !== 0) return made;
  }
  return made;
}
