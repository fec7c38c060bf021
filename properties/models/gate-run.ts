/** One fork through a subject's reseed-gate and a model store, when nothing comes in between. */
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { reseedGate } from '../protocol/reseed-gate.ts';
import type { Subject } from '../subjects/subject.ts';
import type { WitnessStore } from './witness-store.ts';

export type GateConfig = ConfigOf<typeof reseedGate>;
export type GateInput = Omit<InputOf<typeof reseedGate>, 'insertion'>;
export type GateOutput = OutputOf<typeof reseedGate>;

export function runGate(
  subject: Subject,
  config: GateConfig,
  input: GateInput,
  store: WitnessStore,
): GateOutput {
  const gate = subject.decide('reseed-gate', config);
  const first = gate({ ...input, insertion: null });
  if (first.verdict !== 'insert' || first.insert === undefined) return first;
  const { snapshot, keys } = first.insert;
  return gate({ ...input, insertion: store.insert(snapshot, input.request.generation, keys) });
}
