/** dns-reply: forgeries and bent replies of the corpus, then what the claims of F1 have an upstream send. */
import { generateFromClaims } from '../compared-with-reference.ts';
import { dnsVectorQuestions } from '../dns-vector-questions.ts';
import { comparedBy } from '../expectation.ts';
import type { Material } from '../material.ts';

export const material: Material = {
  continues: false,
  corpus: 'dns-messages',
  vectors: () =>
    dnsVectorQuestions('dns-reply', ({ input, verdict }) => [
      { input, fields: { verdict }, seen: comparedBy('dns-reply') },
    ]),
  generate: generateFromClaims('dns-reply'),
};
