/**
 * What the reductions take for granted of claim-step, tried on every input that occurred while the world was
 * exhausted: that versions are words that it copies and never looks into, that within the abstract moments
 * the time of day makes no difference, and that an answer may be taken in at once.
 */
import type { Action } from '../../models/claim-world.ts';
import { canonicalText } from './lexicon.ts';
import type { Sight, Step, Thinking } from './thinking.ts';
import type { CheckedWorld } from './world.ts';

/** null, or which of them does not hold, with the input. */
export function brokenAssumption({ thinking, memories }: CheckedWorld): string | null {
  const sights = new Map<string, Sight[]>();
  for (const sight of thinking.sights()) {
    const opaque = whyNotOpaque(thinking, sight);
    if (opaque !== null) return opaque;
    const key = `${sight.controller} ${sight.claim} ${sight.memory}`;
    const same = sights.get(key);
    if (same === undefined) sights.set(key, [sight]);
    else same.push(sight);
  }
  for (const { controller, claim, memory, last, after } of thinking.answersTaken()) {
    for (const remains of memories.remainsOf(after)) {
      for (const sight of sights.get(`${controller} ${claim} ${remains}`) ?? []) {
        const now = thinking.explain({ ...sight, memory }, last);
        const before = thinking.explain({ ...sight, memory: after });
        if (JSON.stringify(now) === JSON.stringify(before)) continue;
        if (canonicalText(now) === canonicalText(before)) continue;
        return `an answer cannot be taken in at once: ${JSON.stringify({ last, now, before })}`;
      }
    }
  }
  return null;
}

/** Other words for the versions, another moment between the same deadlines: the same decision about them. */
function whyNotOpaque(thinking: Thinking, sight: Sight): string | null {
  const plain = thinking.explain(sight);
  const other = thinking.explainOtherwise(sight);
  const words = (step: Step) => JSON.stringify(step.actions.map(withoutMoments)).replaceAll('another ', '');
  if (words(plain) === words(other) && JSON.stringify(plain.state) === JSON.stringify(other.state))
    return null;
  return `versions or moments are looked into: ${JSON.stringify({ plain, other })}`;
}

/** When it became Ready is noted, and only compared with null. */
function withoutMoments(action: Action): unknown {
  return JSON.parse(JSON.stringify(action).replace(/"readyAt":"[^"]*"/, '"readyAt":""'));
}
