/** The corpus of DNS messages as questions: the vectors of one decision, each asked in one way or several. */

import type { DnsVector } from '../../vectors/generate/dns-messages/dns-vector.ts';
import type { generate as generateDns } from '../../vectors/generate/dns-messages.ts';
import { type Corpus, loadCorpus } from '../../vectors/load-corpus.ts';
import { type Fields, type Seen, single } from './expectation.ts';
import type { Question } from './material.ts';

export interface AskedVector {
  readonly input: Fields;
  /** What the vector says, in the words of `seen`. */
  readonly fields: Fields;
  readonly seen: Seen;
}

export function dnsVectorQuestions(
  name: DnsVector['decision'],
  ask: (vector: DnsVector) => readonly AskedVector[],
): Question[] {
  const corpus = loadCorpus<DnsVector>('dns-messages') as Corpus<DnsVector> & ReturnType<typeof generateDns>;
  const own = corpus.vectors.filter(({ decision }) => decision === name);
  return own.flatMap((vector) =>
    ask(vector).map(({ input, fields, seen }) =>
      single(name, {
        source: vector.id,
        config: corpus.config,
        input,
        seen,
        expected: () => ({ oneOf: [fields], rule: vector.rule }),
      }),
    ),
  );
}
