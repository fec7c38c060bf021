/**
 * An exec of no effect, by the whole way of a request on the channel `services`.
 * Invariant: nothing of it is left: each program has ended, and its output was thrown away.
 */
import { existsSync } from 'node:fs';
import type { Agent } from './agent.ts';
import { LineFeed, lineOf } from './channel.ts';
import type { Starter } from './program.ts';
import { Services } from './services.ts';

/** The agent's own runtime is there for certain; it costs half a second. */
const programs = ['/bin/echo', '/usr/bin/echo', process.execPath];
const bounds = { timeout_ms: 30_000, max_output_octets: 1_024 };

/** What hosts send, in their shapes. */
const shapes: readonly ((argv: readonly string[]) => object)[] = [
  (argv) => ({ method: 'exec', argv, ...bounds }),
  (argv) => ({ method: 'exec', argv, ...bounds, env: {}, cwd: '/', stdin: true }),
];

/** @param agent that has been released @throws Error when the way of an exec is not open */
export async function rehearseExecs(starter: Starter, agent: Pick<Agent, 'refusal'>): Promise<void> {
  const program = programs.find((path) => existsSync(path)) ?? process.execPath;
  for (const [index, shape] of shapes.entries()) {
    const end = await endOf(starter, agent, { id: index + 1, ...shape([program, '--version']) });
    if ('error' in end) throw new Error(`the rehearsal of an exec failed: ${end.error}`);
  }
}

/** The last answer to a request. */
function endOf(starter: Starter, agent: Pick<Agent, 'refusal'>, request: object): Promise<object> {
  return new Promise((resolve, reject) => {
    const services = new Services({ starter, agent, fail: reject });
    const feed = new LineFeed(services, async (message) => {
      lineOf(message);
      if ('ok' in message) resolve(message);
    });
    const end = 'id' in request && 'stdin' in request ? [{ id: request.id, method: 'stdin_end' }] : [];
    feed.feed(Buffer.concat([request, ...end].map(lineOf))).catch(reject);
  });
}
