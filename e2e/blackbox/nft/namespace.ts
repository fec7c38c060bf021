/** Ruleset and network of a named network namespace, read on a thread that enters it; this one stays outside. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ReadTopology } from '#kvm-lab/providers/netns/read-topology.ts';
import type { Ruleset } from '#properties/oracles/nft/ruleset.ts';
import { CodedError } from '#reference/base/coded-error.ts';

const timeoutMs = 30_000;
const namedFolder = '/run/netns/';

export interface ReadNamespace extends ReadTopology {
  readonly ruleset: Ruleset;
}

/** `name`: as `ip netns` knows it, or a path such as /proc/1234/ns/net. */
export function namespacePath(name: string): string {
  return name.includes('/') ? name : `${namedFolder}${name}`;
}

/** Throws CodedError `no-namespace`. */
export async function readNamespace(name: string): Promise<ReadNamespace> {
  const path = namespacePath(name);
  if (!existsSync(path)) {
    throw new CodedError(
      'no-namespace',
      `there is no network namespace ${name} (${path})`,
      'see ip netns list, or name a path such as /proc/PID/ns/net',
    );
  }
  const worker = new Worker(new URL('namespace-worker.ts', import.meta.url), { workerData: path });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ReadNamespace>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs);
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`its reader ended with code ${code}`)));
    });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new CodedError(
      'no-namespace',
      `the network namespace ${name} cannot be read: ${cause.message}`,
      'run as root, or in the user namespace that owns it',
      { cause },
    );
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
