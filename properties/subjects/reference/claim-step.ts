/** The reference's claim-step behind the subject protocol. */
import type { ClaimEvent, ClaimMemory } from '#reference/decisions/claim-step/claim-events.ts';
import { memoryAtStart, stepClaim } from '#reference/decisions/claim-step/claim-step.ts';
import type { claimStep } from '../../protocol/claim-step.ts';
import type { Bind, OutputOf } from '../../protocol/decision.ts';

export const bind: Bind<typeof claimStep> = (config) => {
  return ({ state, event }) => {
    const step = stepClaim(config, (state ?? memoryAtStart) as ClaimMemory, event as ClaimEvent);
    return { ...step, actions: step.actions as OutputOf<typeof claimStep>['actions'] };
  };
};
