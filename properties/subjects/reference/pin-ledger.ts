/** The reference's pin-ledger behind the subject protocol: its state is JSON already. */
import type { LedgerState } from '#reference/decisions/pin-ledger/ledger-state.ts';
import { stepLedger } from '#reference/decisions/pin-ledger/pin-ledger.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { pinLedger } from '../../protocol/pin-ledger.ts';

export const bind: Bind<typeof pinLedger> = (config) => {
  return ({ state, event }) => stepLedger(config, state as LedgerState | null, event);
};
