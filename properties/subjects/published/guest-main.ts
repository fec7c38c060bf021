/** The published agent as the first process of a VM. */
import { bind } from './agent-step.ts';
import { runAgent } from './guest-agent.ts';

runAgent('published', bind({}));
