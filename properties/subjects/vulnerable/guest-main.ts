/** The vulnerable agent as the first process of a VM: the published one around the vulnerable report. */
import { runAgent } from '../published/guest-agent.ts';
import { bind } from './agent-step.ts';

runAgent('vulnerable', bind({}));
