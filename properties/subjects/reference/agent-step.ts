/** The reference's agent-step behind the subject protocol. */
import Type from 'typebox';
import { type AgentState, agentAtBoot, stepAgent } from '#reference/decisions/agent-step.ts';
import { type agentStep, notifyForked } from '../../protocol/agent-step.ts';
import type { Bind } from '../../protocol/decision.ts';
import { callResult, notifyReply } from '../../protocol/reseed-report.ts';
import { keptState } from './kept-state.ts';

const phases = [
  'running',
  'freezing',
  'frozen',
  'reseeding',
  'repairing',
  'replied',
  'releasing',
  'released',
  'refused',
] as const;

const states = keptState<AgentState>(
  Type.Object({
    phase: Type.Enum([...phases]),
    before: Type.Enum(['running', 'released']),
    generation: Type.Number(),
    request: Type.Union([notifyForked, Type.Null()]),
    results: Type.Array(callResult),
    reply: Type.Union([notifyReply, Type.Null()]),
    seeds: Type.Array(Type.String()),
  }),
);

/** An agent that cannot tell what it was doing serves nobody. */
const lost: AgentState = { ...agentAtBoot, phase: 'refused' };

export const bind: Bind<typeof agentStep> = () => {
  return ({ state, event }) => {
    const before = state === null ? agentAtBoot : (states.recall(state) ?? lost);
    const step = stepAgent(before, event);
    return { state: states.keep(step.state), actions: [...step.actions], rule: step.rule };
  };
};
