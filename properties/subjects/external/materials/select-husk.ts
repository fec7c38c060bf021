/**
 * select-husk: the corpus of pods; then pools with decoys, forgeries and drift, as the claims of F3 plant them.
 * Which of several good pods is taken is the program's own affair.
 */
import type { HuskVector } from '../../../vectors/generate/husk-pods/husk-vector.ts';
import { loadCorpus } from '../../../vectors/load-corpus.ts';
import { generateFromClaims } from '../compared-with-reference.ts';
import { comparedBy, type Fields, single } from '../expectation.ts';
import type { Material } from '../material.ts';

type Bound = (input: unknown) => Fields;

/** What the reference selects when it looks at the pods from each place in turn. */
function otherPods(reference: Bound, input: unknown): Fields[] {
  const { pods, ...scene } = input as { readonly pods: readonly unknown[] };
  return pods.map((_, place) =>
    reference({ ...scene, pods: [...pods.slice(place), ...pods.slice(0, place)] }),
  );
}

export const material: Material = {
  continues: false,
  compares:
    'verdict and pod; any pod is right that the reference selects when the pods come in another order',
  corpus: 'husk-pods',
  vectors: () =>
    loadCorpus<HuskVector>('husk-pods').vectors.map(({ id, input, verdict, pod, rule }) =>
      single('select-husk', {
        source: id,
        config: {},
        input,
        seen: comparedBy('select-husk'),
        expected: () => ({ oneOf: [{ verdict, pod }], rule }),
      }),
    ),
  generate: generateFromClaims('select-husk', { alsoRight: otherPods }),
};
