/**
 * pin-address: the corpus of addresses, then addresses on the edges of every block and inside every
 * embedding.
 */
import * as fc from 'fast-check';
import { addressArbitrary, emptyPolicy, policies } from '../../../arbitraries/addresses.ts';
import type { AddressVector } from '../../../vectors/generate/addresses.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { inputsLikeReference } from '../compared-with-reference.ts';
import { comparedBy, single } from '../expectation.ts';
import type { Material } from '../material.ts';

const name = 'pin-address';

/** Half of the inputs under the empty policy, the others under one that has everything. */
const crowded = policies.find((policy) => Object.values(policy).every((entries) => entries.length > 1));
const configs = [emptyPolicy, crowded ?? emptyPolicy];

export const material: Material = {
  continues: false,
  corpus: 'addresses',
  vectors: () =>
    loadCorpus<AddressVector>('addresses').vectors.map(({ id, config, input, verdict, pinnedAs, rule }) => {
      const fields = verdict === 'pin' ? { verdict, pinnedAs } : { verdict };
      const expected = () => ({ oneOf: [fields] as const, rule });
      return single(name, { source: id, config, input, seen: comparedBy(name), expected });
    }),
  generate({ inputs, seed }) {
    const addresses = fc.sample(addressArbitrary, { numRuns: inputs, seed });
    const share = (index: number) =>
      addresses.filter((_, place) => place % configs.length === index).map((address) => ({ address }));
    return inputsLikeReference(
      name,
      configs.map((config, index) => ({ config, inputs: share(index) })),
    );
  },
};
