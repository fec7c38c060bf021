/**
 * The corpus of admission requests: enough of it, more negatives than positives, and the reference agrees
 * with every vector.
 */
import { describe, expect, test } from 'vitest';
import type { Question } from '../models/access-world.ts';
import { runAdmission } from '../models/admission-run.ts';
import { loadSubject } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import type { AdmissionVector } from './generate/admission-requests/admission-vector.ts';
import { loadCorpus } from './load-corpus.ts';

const reference = await loadSubject('reference', ['authorize-claim']);
const published = await loadSubject('published', ['authorize-claim']);

function asked(question: Question): string {
  if (question.kind === 'ServiceAccount') return `account ${question.name}`;
  const { verb, name } = question.spec.resourceAttributes;
  return `${verb} ${name}`;
}

describe('admission requests', () => {
  const { vectors } = loadCorpus<AdmissionVector>('admission-requests');
  const negative = vectors.filter(({ flags }) => flags.includes('negative'));
  const run = (subject: Subject, { review, world, disturbance }: AdmissionVector) =>
    runAdmission(subject, review, world, disturbance);

  test('are at least 80, more negative than positive', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(80);
    expect(negative.length).toBeGreaterThan(vectors.length / 2);
    expect(negative.every(({ verdict }) => verdict === 'deny')).toBe(true);
  });

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    const ran = run(reference, vector);
    expect({
      verdict: ran.last.verdict,
      asks: ran.asked.map(asked),
      stamped: ran.last.stamp !== null,
    }).toEqual({ verdict: vector.verdict, asks: vector.asks, stamped: vector.stamped });
  });

  test('are decided otherwise by the published webhook in part: they can fail', () => {
    const otherwise = vectors.filter((vector) => run(published, vector).last.verdict !== vector.verdict);
    expect(otherwise.length).toBeGreaterThan(60);
  });
});
