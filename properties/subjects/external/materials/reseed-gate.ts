/**
 * reseed-gate: the corpus of responses, each asked before the store was and after it answered; then what the
 * claims of F6 let guests answer.
 */
import type { ReseedVector } from '../../../vectors/generate/reseed-responses.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { type Fields, single } from '../expectation.ts';
import type { Material } from '../material.ts';

const name = 'reseed-gate';
const verdictOf = ({ verdict }: Fields): Fields => ({ verdict });

/** The response itself is good when the fork is admitted, or refused for the store's answer alone. */
function askedFirst({ verdict, store }: ReseedVector): 'insert' | 'refuse' {
  return verdict === 'admit' || store !== 'inserted' ? 'insert' : 'refuse';
}

export const material: Material = {
  continues: false,
  corpus: 'reseed-responses',
  vectors: () =>
    loadCorpus<ReseedVector>('reseed-responses').vectors.flatMap((vector) => {
      const { id, config, input, store, verdict, rule } = vector;
      const ask = (insertion: string | null, wanted: string) =>
        single(name, {
          source: id,
          config,
          input: { ...input, insertion },
          seen: verdictOf,
          expected: () => ({ oneOf: [{ verdict: wanted }], rule }),
        });
      return [ask(null, askedFirst(vector)), ask(store, verdict)];
    }),
  generate: generateFromClaims(name),
};
