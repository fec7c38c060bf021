/** dns-query: the guest's messages of the corpus, then what the claims of F1 have a guest send. */
import { decodeAnswer } from '../../../oracles/dns/answer-oracle.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { dnsVectorQuestions } from '../dns-vector-questions.ts';
import type { Material } from '../material.ts';

export const material: Material = {
  continues: false,
  corpus: 'dns-messages',
  vectors: () =>
    dnsVectorQuestions('dns-query', ({ input, verdict, rcode }) => [
      {
        input,
        fields: rcode === undefined ? { verdict } : { verdict, rcode },
        seen: (output) =>
          output.verdict === 'answer'
            ? { verdict: 'answer', rcode: decodeAnswer(String(output.message ?? ''))?.rcode ?? 'unreadable' }
            : { verdict: output.verdict },
      },
    ]),
  generate: generateFromClaims('dns-query'),
};
