/**
 * The corpus of husk pods: enough of it, more negatives than positives, and the reference agrees with every
 * vector, for the reason that the vector gives.
 */
import { describe, expect, test } from 'vitest';
import { selectConfig } from '../claims/husk-claim.ts';
import { loadSubject } from '../subjects/load-subject.ts';
import type { HuskVector } from './generate/husk-pods/husk-vector.ts';
import { loadCorpus } from './load-corpus.ts';

const reference = await loadSubject('reference', ['select-husk']);
const published = await loadSubject('published', ['select-husk']);

describe('husk pods', () => {
  const { vectors } = loadCorpus<HuskVector>('husk-pods');
  const negative = vectors.filter(({ flags }) => flags.includes('negative'));
  const decide = (subject: typeof reference, { input }: HuskVector) =>
    subject.decide('select-husk', selectConfig)(input);

  test('are at least 150, more negative than positive, nearly all of them storable', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(150);
    expect(negative.length).toBeGreaterThan(vectors.length / 2);
    expect(negative.every(({ verdict, pod }) => verdict === 'refuse' && pod === null)).toBe(true);
    expect(vectors.filter(({ flags }) => flags.includes('unstorable')).length).toBeLessThan(
      vectors.length / 5,
    );
  });

  test('are of every operation, selected and refused', () => {
    const of = (verdict: string) =>
      new Set(vectors.filter((vector) => vector.verdict === verdict).map(({ input }) => input.operation))
        .size;
    expect([of('select'), of('refuse')]).toEqual([6, 6]);
  });

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    const { verdict, pod, refusals, rule } = decide(reference, vector);
    expect({ verdict, pod }).toEqual({ verdict: vector.verdict, pod: vector.pod });
    const [first] = vector.input.pods as { metadata?: { uid?: unknown } | null }[];
    const isSelected = pod !== null && pod.uid === first?.metadata?.uid;
    // With one pod there is one refusal; with more it is the one that names the first.
    const { namespace, name } = (first?.metadata ?? {}) as { namespace?: string; name?: string };
    const refusal =
      refusals.length === 1
        ? refusals[0]
        : refusals.find((one) => one.pod === `${namespace}/${name}` || one.pod === '#0');
    // A second pod may be selected before the first was looked at.
    if (!isSelected && pod !== null && refusal === undefined) return;
    expect(isSelected ? rule : refusal?.rule).toBe(vector.rule);
  });

  test('are decided otherwise by the published selection in part: they can fail', () => {
    const reached = negative.filter((vector) => decide(published, vector).pod !== null);
    expect(reached.length).toBeGreaterThan(100);
  });
});
