/** A cell unlike its declaration, in the words of a failed test: what was seen, where, and how to see it again. */
import type { CellRecord } from '#properties/matrix/record.ts';

export function toldRecord({ reason, evidence, outcome, expected, replay }: CellRecord): string {
  return [
    `expected ${expected}, and it was ${outcome}${reason === undefined ? '' : `: ${reason}`}`,
    ...(evidence === undefined ? [] : [`observed ${evidence.observed}`, ...(evidence.steps ?? [])]),
    ...(evidence?.folder === undefined ? [] : [`evidence in ${evidence.folder}`]),
    `replay: ${replay}`,
  ].join('\n');
}
