/**
 * The reference agent as a guest of the lab: whole and unchanged, beside it what the lab asks on the services channel.
 * Invariant: no line of the agent's own protocol is touched.
 */

import { answerLab, isLabRequest, type LabRequest } from '#properties/subjects/guest-lab.ts';
import { channelNames } from '#reference/contract/guest-protocol.ts';
import type { Channel, LineHandler } from '#reference/guest/channel.ts';
import { earlyInit } from '#reference/guest/early-init.ts';
import { runGuestAgent } from '#reference/guest/guest.ts';
import { findPort, PortChannel } from '#reference/guest/port-channel.ts';
import { systemCalls } from '#reference/guest/system-calls.ts';

/** A request of the lab, or null: the agent's. */
export function labRequestOf(line: string | null): LabRequest | null {
  if (line === null || !line.startsWith('{"lab":')) return null;
  const value: unknown = JSON.parse(line);
  return isLabRequest(value) ? value : null;
}

function withLab(channel: Channel): Channel {
  return {
    serve: (handler: LineHandler) =>
      channel.serve({
        async line(line, send) {
          const request = labRequestOf(line);
          if (request === null) await handler.line(line, send);
          else await send(answerLab(request));
        },
        disconnected: () => handler.disconnected(),
      }),
    close: () => channel.close(),
  };
}

/** On the console; a guest whose agent has failed ends. */
function fail(error: unknown): never {
  process.stderr.write(`lab-agent: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(70);
}

process.on('uncaughtException', fail);
earlyInit(systemCalls);
runGuestAgent({
  control: new PortChannel(findPort(channelNames.control)),
  services: withLab(new PortChannel(findPort(channelNames.services))),
  log: (sentence) => void process.stderr.write(`lab-agent: ${sentence}\n`),
}).then(() => process.exit(0), fail);
