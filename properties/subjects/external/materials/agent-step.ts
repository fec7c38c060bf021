/** agent-step: lives of a guest agent across forks, as the claims of F6 lead them. */
import { generateFromClaims } from '../compared-with-reference.ts';
import type { Fields } from '../expectation.ts';
import type { Material } from '../material.ts';

/** The text of an error is for people. */
function withoutWords({ actions }: Fields): Fields {
  return {
    actions: (actions as readonly Fields[]).map((action) => {
      if (action.kind !== 'reply') return action;
      const { error: _words, ...body } = action.body as Fields;
      return { ...action, body };
    }),
  };
}

export const material: Material = {
  continues: true,
  compares: 'actions in their order, without the text of an error',
  corpus: null,
  vectors: () => [],
  generate: generateFromClaims('agent-step', { seen: withoutWords }),
};
