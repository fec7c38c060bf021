/**
 * The corpus of resume cases: enough of it, more negatives than positives, and the reference agrees with
 * every vector: with what it asks, and with what it says then.
 */
import { describe, expect, test } from 'vitest';
import { loadSubject } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import type { ResumeVector } from './generate/resume-cases.ts';
import { loadCorpus } from './load-corpus.ts';

const reference = await loadSubject('reference', ['resume-gate']);
const published = await loadSubject('published', ['resume-gate']);

function outcomeOf(subject: Subject, { config, input, answers, elapsedMs }: ResumeVector) {
  const gate = subject.decide('resume-gate', config);
  const first = gate(input);
  if (first.verdict !== 'review') return { reviews: null, last: first };
  const { reviews = [] } = first;
  const given = answers ?? reviews.map((review) => ({ review, status: { allowed: true } }));
  return { reviews, last: gate({ ...input, answers: [...given], elapsedMs }) };
}

describe('resume cases', () => {
  const { vectors } = loadCorpus<ResumeVector>('resume-cases');
  const negative = vectors.filter(({ flags }) => flags.includes('negative'));

  test('are at least 60, more negative than positive', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(60);
    expect(negative.length).toBeGreaterThan(vectors.length / 2);
    expect(negative.every(({ verdict }) => verdict === 'refuse')).toBe(true);
  });

  test('always say what is loaded, or what the memory is bound to', () => {
    const served = vectors.filter(({ verdict }) => verdict !== 'refuse');
    expect(served.length).toBeGreaterThan(8);
    expect(
      served.filter(({ memory, binding }) => (memory === undefined) === (binding === undefined)),
    ).toEqual([]);
  });

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    const { reviews, last } = outcomeOf(reference, vector);
    const { verdict, memory, binding } = vector;
    expect(reviews).toEqual(vector.reviews);
    expect({ verdict: last.verdict, memory: last.memory, binding: last.binding }, last.rule).toEqual({
      verdict,
      memory,
      binding,
    });
  });

  test('are decided otherwise by the published gate in part: they can fail', () => {
    const otherwise = negative.filter((vector) => outcomeOf(published, vector).last.verdict !== 'refuse');
    expect(otherwise.length).toBeGreaterThan(40);
  });
});
