/** activation-step: lives of a host with its forks and its store, as the claims of F6 lead them. */
import { generateFromClaims } from '../compared-with-reference.ts';
import type { Fields } from '../expectation.ts';
import type { Material } from '../material.ts';

/** Keys of a reservation are names of the program's own; those of a witness are the gate's. */
function withoutOwnKeys({ actions }: Fields): Fields {
  return {
    actions: (actions as readonly Fields[]).map((action) => {
      if (action.kind !== 'insert' || action.purpose !== 'reserve') return action;
      const { keys: _own, ...insert } = action;
      return insert;
    }),
  };
}

export const material: Material = {
  continues: true,
  compares: 'actions in their order, without the keys of a reservation',
  corpus: null,
  vectors: () => [],
  generate: generateFromClaims('activation-step', { seen: withoutOwnKeys }),
};
