/** How much memory the thread of the core may have, and who collects it. */
import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits } from 'node:worker_threads';

/**
 * Left to itself the heap grows to hundreds of megabytes before anything is collected. What the limits of the proxy
 * allow at once is far below; beyond it the thread ends, and nothing is answered.
 */
const bounds = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 384 } as const;

/** For the threads that are started after it. */
export function threadMemory(): ResourceLimits {
  // So little of what is young lives on that threads which help to collect it cost more than they save.
  setFlagsFromString('--no-parallel-scavenge');
  return bounds;
}
