/** The reference's resume-gate behind the subject protocol. */
import { judgeMemory } from '#reference/decisions/resume-gate/resume-gate.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';
import type { resumeGate } from '../../protocol/resume-gate.ts';

type Output = OutputOf<typeof resumeGate>;
type Review = NonNullable<Output['reviews']>[number];
type Groups = Readonly<Record<string, readonly string[]>>;

/** The schema's arrays are mutable ones. */
const copies = (extra: Groups): Record<string, string[]> =>
  Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]));

export const bind: Bind<typeof resumeGate> = (config) => (input) => {
  const judged = judgeMemory(config, input);
  if (judged.verdict !== 'review') return judged;
  const reviews = judged.reviews.map(
    (review): Review => ({ ...review, groups: [...review.groups], extra: copies(review.extra) }),
  );
  return { ...judged, reviews };
};
