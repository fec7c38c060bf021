/** How much of what siblings drew is the same. */
import type { Exhibit } from './fork-attack.ts';

/** Reader → what it drew, in order. */
export type Draws = Readonly<Record<string, readonly string[]>>;

/** Duplicates among siblings as a part of all that was drawn: of n that are the same, all n count. */
export function shareOf(siblings: readonly (readonly string[])[]): number {
  const seenBy = new Map<string, Set<number>>();
  for (const [index, drawn] of siblings.entries()) {
    for (const value of drawn) seenBy.set(value, (seenBy.get(value) ?? new Set()).add(index));
  }
  const all = siblings.flat();
  const shared = all.filter((value) => (seenBy.get(value)?.size ?? 0) > 1);
  return all.length === 0 ? 0 : shared.length / all.length;
}

/** The first that each drew. */
export function exhibitsOf(siblings: readonly Draws[]): Exhibit[] {
  return Object.keys(siblings[0] ?? {}).map((reader) => ({
    reader,
    drawn: siblings.map((draws) => draws[reader]?.[0] ?? 'nothing'),
    share: shareOf(siblings.map((draws) => draws[reader] ?? [])),
  }));
}

export const percent = (share: number) => `${Math.round(share * 1_000) / 10} %`;
