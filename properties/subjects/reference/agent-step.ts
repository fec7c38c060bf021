/** The reference's agent-step behind the subject protocol. */
import { type AgentState, agentAtBoot, stepAgent } from '#reference/decisions/agent-step.ts';
import type { agentStep } from '../../protocol/agent-step.ts';
import type { Bind } from '../../protocol/decision.ts';

export const bind: Bind<typeof agentStep> = () => {
  return ({ state, event }) => {
    const step = stepAgent((state ?? agentAtBoot) as AgentState, event);
    return { state: step.state, actions: [...step.actions], rule: step.rule };
  };
};
