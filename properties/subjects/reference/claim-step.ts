/** The reference's claim-step behind the subject protocol. */
import Type from 'typebox';
import type { ClaimEvent, ClaimMemory } from '#reference/decisions/claim-step/claim-events.ts';
import { memoryAtStart, stepClaim } from '#reference/decisions/claim-step/claim-step.ts';
import type { claimStep } from '../../protocol/claim-step.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';
import { keptState } from './kept-state.ts';

const text = Type.String();
const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const states = keptState<ClaimMemory>(
  Type.Object({
    attempt: nullable(
      Type.Object({
        holder: text,
        podUid: text,
        number: Type.Number(),
        fresh: Type.Boolean(),
        progress: Type.Enum(['intended', 'unreachable', 'proved', 'unclear', 'delivered']),
      }),
    ),
    token: nullable(Type.Object({ holder: text, name: text, uid: text })),
    acting: nullable(text),
    deleted: Type.Array(text),
    dehydrated: Type.Boolean(),
    snapshot: nullable(text),
    snapshotAttempt: Type.Number(),
  }),
);

/** A memory that is none of ours is as good as lost, and losing it is what the machine is made for. */
export const bind: Bind<typeof claimStep> = (config) => {
  return ({ state, event }) => {
    const step = stepClaim(config, states.recall(state) ?? memoryAtStart, event as ClaimEvent);
    return {
      ...step,
      state: states.keep(step.state),
      actions: step.actions as OutputOf<typeof claimStep>['actions'],
    };
  };
};
