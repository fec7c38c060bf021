export { bind } from '../published/activation-step.ts';
