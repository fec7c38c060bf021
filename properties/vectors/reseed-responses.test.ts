/**
 * The corpus of reseed responses: enough of it, more negatives than positives, and the reference agrees
 * with every vector.
 */
import { describe, expect, test } from 'vitest';
import { loadSubject } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import type { ReseedVector } from './generate/reseed-responses.ts';
import { loadCorpus } from './load-corpus.ts';

const reference = await loadSubject('reference', ['reseed-gate']);
const published = await loadSubject('published', ['reseed-gate']);

describe('reseed responses', () => {
  const { vectors } = loadCorpus<ReseedVector>('reseed-responses');
  const negative = vectors.filter(({ flags }) => flags.includes('negative'));

  function verdictOf(subject: Subject, { config, input, store }: ReseedVector): string {
    const gate = subject.decide('reseed-gate', config);
    const first = gate({ ...input, insertion: null });
    return first.verdict === 'insert' ? gate({ ...input, insertion: store }).verdict : first.verdict;
  }

  test('are at least 80, more negative than positive', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(80);
    expect(negative.length).toBeGreaterThan(vectors.length / 2);
    expect(negative.every(({ verdict }) => verdict === 'refuse')).toBe(true);
  });

  test('always hold the proof that the finding prints', () => {
    const specified = vectors.find(({ id }) => id === 'proof/specified');
    expect(specified?.input.response).toContain(
      '3ad7aea3cceaa2010b6295786a23525ff2546d8497a51e2da5f53367ebebdfd0',
    );
  });

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    expect(verdictOf(reference, vector)).toBe(vector.verdict);
  });

  test('are decided otherwise by the published gate in part: they can fail', () => {
    const otherwise = vectors.filter((vector) => verdictOf(published, vector) !== vector.verdict);
    expect(otherwise.length).toBeGreaterThan(40);
  });
});
