/** What was observed of the published agent's order of work. */
import type { agentStep } from '../../protocol/agent-step.ts';
import type { Observed } from '../observed.ts';

export const observed: readonly Observed<typeof agentStep>[] = [
  {
    says: "A running child of the guest made 22–35 duplicate reads before the agent's reseed (facts.md)",
    config: {},
    input: { state: null, event: { kind: 'prepare-snapshot' } },
    output: { actions: [{ kind: 'reply', to: 'prepare-snapshot', body: { ok: true } }] },
  },
];
