/** pin-ledger: lives of a datapath's pins, as the claims of F1 lead them. */
import { generateFromClaims } from '../compared-with-reference.ts';
import type { Fields } from '../expectation.ts';
import type { Material } from '../material.ts';

const actionsOf = ({ actions }: Fields) => actions as readonly (Fields & { readonly actionId: string })[];

/** Outcomes tell their rule to people; an action's id is the program's own. */
function withoutIds(output: Fields): Fields {
  return {
    actions: actionsOf(output).map(({ actionId: _own, ...action }) => action),
    outcomes: (output.outcomes as readonly Fields[]).map(({ rule: _words, ...outcome }) => outcome),
  };
}

export const material: Material = {
  continues: true,
  compares: 'actions and outcomes in their order, without ids of actions and rules of outcomes',
  corpus: null,
  vectors: () => [],
  generate: generateFromClaims('pin-ledger', {
    seen: withoutIds,
    names: {
      given: (output) => actionsOf(output).map(({ actionId }) => actionId),
      renamed: (event, own) =>
        event.kind === 'acknowledged'
          ? { ...event, actionId: own.get(String(event.actionId)) ?? event.actionId }
          : event,
    },
  }),
};
