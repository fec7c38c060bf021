export { bind } from '../published/authorize-workspace.ts';
