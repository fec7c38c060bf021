/** The reference's kernel-digest behind the subject protocol: its state is JSON already. */
import { type StagingState, stepKernel } from '#reference/decisions/kernel-digest.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { kernelDigest } from '../../protocol/kernel-digest.ts';

export const bind: Bind<typeof kernelDigest> = (config) => {
  return ({ state, event }) => stepKernel(config, state as StagingState | null, event);
};
