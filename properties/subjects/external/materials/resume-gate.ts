/**
 * resume-gate: the corpus of resume cases, each before anything was reviewed and with the answers; then what
 * the claims of F5 try to resume and capture.
 */
import type { ResumeVector } from '../../../vectors/generate/resume-cases.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { comparedBy, type Fields, single } from '../expectation.ts';
import type { Material } from '../material.ts';

const name = 'resume-gate';

function questionsOf(vector: ResumeVector) {
  const { id, config, input, reviews, answers, elapsedMs, verdict, memory, binding, rule } = vector;
  const ask = (given: Fields, wanted: Fields) =>
    single(name, {
      source: id,
      config,
      input: { ...input, ...given },
      seen: comparedBy(name),
      expected: () => ({ oneOf: [wanted], rule }),
    });
  const last: Fields = {
    verdict,
    ...(memory === undefined ? {} : { memory }),
    ...(binding === undefined ? {} : { binding }),
  };
  if (reviews === null) return [ask({}, last)];
  const yes = reviews.map((review) => ({ review, status: { allowed: true } }));
  return [ask({}, { verdict: 'review', reviews }), ask({ answers: answers ?? yes, elapsedMs }, last)];
}

export const material: Material = {
  continues: false,
  corpus: 'resume-cases',
  vectors: () => loadCorpus<ResumeVector>('resume-cases').vectors.flatMap(questionsOf),
  generate: generateFromClaims(name),
};
