/** Every combination of one choice from each list: how a small scope is walked whole. */

export interface Combination<Choice> {
  readonly chosen: readonly Choice[];
  /** What the choices that are not the first of their list say. */
  readonly faults: readonly string[];
}

/**
 * In the order of the lists, the last one fastest; the first choice of a list is the faultless one.
 * @param maxFaults how many choices may be others
 */
export function* combinations<Choice extends { readonly says: string }>(
  lists: readonly (readonly Choice[])[],
  maxFaults: number,
): Generator<Combination<Choice>, void, undefined> {
  function* extend(chosen: readonly Choice[], faults: readonly string[]): Generator<Combination<Choice>> {
    const list = lists[chosen.length];
    if (list === undefined) {
      yield { chosen, faults };
      return;
    }
    for (const [index, choice] of list.entries()) {
      if (index > 0 && faults.length >= maxFaults) break;
      yield* extend([...chosen, choice], index === 0 ? faults : [...faults, choice.says]);
    }
  }
  yield* extend([], []);
}
