/** The reference's activation-step behind the subject protocol. */
import {
  type ActivationAction,
  type ActivationState,
  activationAtStart,
  stepActivation,
} from '#reference/decisions/activation-step.ts';
import type { activationStep } from '../../protocol/activation-step.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';

type Action = OutputOf<typeof activationStep>['actions'][number];

export const bind: Bind<typeof activationStep> = (config) => {
  return ({ state, event }) => {
    const step = stepActivation(config, (state ?? activationAtStart()) as ActivationState, event);
    return { state: step.state, actions: step.actions.map(toProtocol), rule: step.rule };
  };
};

function toProtocol(action: ActivationAction): Action {
  return action.kind === 'insert' ? { ...action, keys: [...action.keys] } : action;
}
