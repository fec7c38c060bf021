export { bind } from '../published/resume-gate.ts';
