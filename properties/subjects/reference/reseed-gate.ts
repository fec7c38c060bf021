/** The reference's reseed-gate behind the subject protocol. */
import { judgeReseed } from '#reference/decisions/reseed-gate.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { reseedGate } from '../../protocol/reseed-gate.ts';

export const bind: Bind<typeof reseedGate> = (config) => {
  return (input) => {
    const judged = judgeReseed(config, input);
    if (judged.verdict !== 'insert') return judged;
    const { snapshot, keys } = judged.insert;
    return { ...judged, insert: { snapshot, keys: [...keys] } };
  };
};
