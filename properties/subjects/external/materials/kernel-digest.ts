/**
 * kernel-digest: the stagings of the corpus, carried out on the file model with the program's own calls and
 * judged by how they end; then stagings of the claims of F2, call for call as the reference makes them.
 */
import { digestOf } from '../../../models/staged-files.ts';
import { runStaging } from '../../../models/stager.ts';
import type { StagedVector } from '../../../vectors/generate/staged-files.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import type { Material, Question } from '../material.ts';
import { replayed } from '../replayed.ts';

const name = 'kernel-digest';

function question({ id, input, verdict, boots, rule }: StagedVector): Question {
  return {
    source: id,
    config: input.config,
    talk: () =>
      replayed(name, (subject) => {
        const { ends, booted } = runStaging(subject, input);
        const [kernel] = booted;
        const got = {
          verdict: ends.map(({ outcome }) => outcome),
          boots: kernel === undefined ? null : digestOf(kernel),
        };
        const asked = { verdict, boots };
        return JSON.stringify(got) === JSON.stringify(asked) ? null : { input, expected: asked, got, rule };
      }),
  };
}

export const material: Material = {
  continues: true,
  compares: 'vectors: how each phase ends and what boots; generated: each action',
  corpus: 'staged-files',
  vectors: () => loadCorpus<StagedVector>('staged-files').vectors.map(question),
  generate: generateFromClaims(name),
};
