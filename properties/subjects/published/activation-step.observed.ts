/** What was observed of the host's order of work, which the published fix left as it was. */
import type { activationStep } from '../../protocol/activation-step.ts';
import type { Observed } from '../observed.ts';

const config = { deadlineMs: 2000, requireWitness: false, maxForks: 64 };

export const observed: readonly Observed<typeof activationStep>[] = [
  {
    says: 'the host gate, present in all engines, believes that boolean',
    config,
    input: {
      state: { 'fork-1': 'notified' },
      event: {
        kind: 'response',
        fork: 'fork-1',
        line: '{"ok":true,"reseeded_rng":true}',
        elapsedMs: 12,
        witness: null,
      },
    },
    output: { state: { 'fork-1': 'ready' }, actions: [] },
  },
  {
    says: 'the host gate, present in all engines, believes that boolean',
    config,
    input: {
      state: { 'fork-1': 'notified' },
      event: {
        kind: 'response',
        fork: 'fork-1',
        line: '{"ok":false,"reseeded_rng":false}',
        elapsedMs: 12,
        witness: null,
      },
    },
    output: { actions: [{ kind: 'reap', fork: 'fork-1' }] },
  },
];
