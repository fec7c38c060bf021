/** The reference's kernel-digest behind the subject protocol: its state is JSON already. */
import Type from 'typebox';
import { type StagingState, stepKernel } from '#reference/decisions/kernel-digest.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { kernelDigest } from '../../protocol/kernel-digest.ts';
import { keptState } from './kept-state.ts';

const awaited = [
  'lock',
  'sweep',
  'seal',
  'write',
  'open',
  'create',
  'unlink',
  'copy-and-hash',
  'rename',
  'boot',
  'done',
  'unlink-destination',
  'unlink-poisoned',
  'unlink-temporary',
] as const;

const states = keptState<StagingState>(
  Type.Object({
    phase: Type.Enum(['stage', 'open']),
    temporary: Type.String({ maxLength: 4096 }),
    awaited: Type.Enum([...awaited]),
    source: Type.Enum(['file', 'url']),
    refusal: Type.Union([Type.String(), Type.Null()]),
  }),
);

/** A result without a state of ours has no begin: refused. */
export const bind: Bind<typeof kernelDigest> = (config) => {
  return ({ state, event }) => {
    const step = stepKernel(config, states.recall(state), event);
    return { ...step, state: states.keep(step.state) };
  };
};
