/** The channel `control`: a request is read, the agent answers it. */
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import type { Agent } from './agent.ts';
import type { LineHandler } from './channel.ts';
import { readControl } from './read-request.ts';

export function controlHandler(agent: Agent): LineHandler {
  return {
    async line(line, send) {
      const reading = readControl(line);
      const reply: ControlReply =
        'error' in reading ? { ok: false, error: reading.error } : await agent.control(reading.request);
      await send(reply);
    },
    disconnected: () => undefined,
    isHeld: () => agent.isHeld,
  };
}
