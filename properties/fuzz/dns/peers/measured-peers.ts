/** What the peers read when it was measured: kept, since a page that is generated everywhere cannot ask for Python. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PeerResult } from './differential.ts';

export interface MeasuredPeers {
  readonly seed: number;
  readonly runs: number;
  readonly results: readonly PeerResult[];
}

/** What `pnpm test:fuzz dns-peers --record` draws. */
export const recordedRun = { seed: 1, runs: 20_000 } as const;
export const measuredPeersFile = fileURLToPath(
  new URL('../../../vectors/measured/dns-peers.json', import.meta.url),
);

export function readMeasuredPeers(): MeasuredPeers {
  return JSON.parse(readFileSync(measuredPeersFile, 'utf8')) as MeasuredPeers;
}
