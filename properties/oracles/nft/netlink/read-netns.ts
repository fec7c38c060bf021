/** Reads the ruleset of a named network namespace; this process stays where it is. */
import { Worker } from 'node:worker_threads';
import type { Ruleset } from '../ruleset.ts';

const timeoutMs = 30_000;
const namedFolder = '/run/netns/';

/**
 * `name`: as `ip netns` knows it, or a path such as /proc/1234/ns/net. Rejects with SystemCallError without
 * the right to enter it, with ENOENT when it is not there.
 */
export async function readNetns(name: string): Promise<Ruleset> {
  const path = name.includes('/') ? name : `${namedFolder}${name}`;
  const worker = new Worker(new URL('netns-worker.ts', import.meta.url), { workerData: path });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Ruleset>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no ruleset of ${name} within ${timeoutMs} ms`)), timeoutMs);
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the reader of ${name} ended with code ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
