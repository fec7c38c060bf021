export { bind } from '../published/pin-ledger.ts';
