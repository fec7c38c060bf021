/**
 * authorize-claim: the corpus of admission requests, each before anybody was asked; then what the claims of
 * F3 and F5 send, with the answers to questions whose names the protocol gives.
 */
import type { AdmissionVector } from '../../../vectors/generate/admission-requests/admission-vector.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { type Fields, single } from '../expectation.ts';
import type { Material } from '../material.ts';

const name = 'authorize-claim';

/** Whether it asks, allows or denies. */
const verdictOf = ({ verdict }: Fields): Fields => ({ verdict });

export const material: Material = {
  continues: false,
  corpus: 'admission-requests',
  vectors: () =>
    loadCorpus<AdmissionVector>('admission-requests').vectors.map(
      ({ id, config, review, asks, verdict, rule }) =>
        single(name, {
          source: id,
          config,
          input: { review, answers: null },
          seen: verdictOf,
          expected: () => ({ oneOf: [{ verdict: asks.length > 0 ? 'review' : verdict }], rule }),
        }),
    ),
  generate: generateFromClaims(name),
};
