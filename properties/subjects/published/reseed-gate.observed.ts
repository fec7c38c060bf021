/** What was observed of the host gate, which the published fix left as it was. */
import type { reseedGate } from '../../protocol/reseed-gate.ts';
import type { Observed } from '../observed.ts';

const config = { deadlineMs: 2000, requireWitness: false };
const asked = {
  request: { snapshot: 'sha256:template', generation: 7, nonce: 'aa'.repeat(32) },
  elapsedMs: 12,
  witness: null,
  insertion: null,
};

export const observed: readonly Observed<typeof reseedGate>[] = [
  {
    says: 'the host gate, present in all engines, believes that boolean',
    config,
    input: { ...asked, response: '{"ok":true,"reseeded_rng":true}' },
    output: { verdict: 'admit' },
  },
  {
    says: 'the host gate, present in all engines, believes that boolean',
    config,
    input: { ...asked, response: '{"ok":false,"reseeded_rng":false}' },
    output: { verdict: 'refuse' },
  },
];
