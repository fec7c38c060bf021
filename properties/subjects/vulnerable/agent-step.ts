/** The published agent around the vulnerable report: findings.md F6, Vulnerable. */
import { agentAround } from '../published/agent-step.ts';
import { bind as bindReport } from './reseed-report.ts';

export const bind = agentAround(bindReport({}));
