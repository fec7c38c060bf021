export { bind } from '../published/reseed-gate.ts';
