/** The reference's activation-step behind the subject protocol. */
import Type from 'typebox';
import {
  type ActivationAction,
  type ActivationState,
  activationAtStart,
  stepActivation,
} from '#reference/decisions/activation-step.ts';
import { activationEvent, type activationStep } from '../../protocol/activation-step.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';
import { hostWitness } from '../../protocol/reseed-gate.ts';
import { keptState } from './kept-state.ts';

type Action = OutputOf<typeof activationStep>['actions'][number];

const [begun] = activationEvent.anyOf;
const states = keptState<ActivationState>(
  Type.Object({
    forks: Type.Record(
      begun.properties.fork,
      Type.Object({
        phase: Type.Enum(['reserving', 'notified', 'inserting', 'releasing', 'released']),
        snapshot: begun.properties.snapshot,
        generation: Type.Number(),
        nonce: Type.String(),
        begun: Type.Union([begun, Type.Null()]),
        response: Type.Union([
          Type.Object({ line: Type.String(), elapsedMs: Type.Number(), witness: hostWitness }),
          Type.Null(),
        ]),
      }),
      { additionalProperties: false },
    ),
  }),
);

/** Who hands in no state of ours knows no fork: nothing is delivered. */
export const bind: Bind<typeof activationStep> = (config) => {
  return ({ state, event }) => {
    const step = stepActivation(config, states.recall(state) ?? activationAtStart(), event);
    return { state: states.keep(step.state), actions: step.actions.map(toProtocol), rule: step.rule };
  };
};

function toProtocol(action: ActivationAction): Action {
  return action.kind === 'insert' ? { ...action, keys: [...action.keys] } : action;
}
