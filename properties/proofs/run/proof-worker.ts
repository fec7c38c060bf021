/** Thread of one part of one proof: plants its mutant, if it has one, before the reference is loaded. */
import { parentPort, workerData } from 'node:worker_threads';
import { CodedError } from '#reference/base/coded-error.ts';
import { plant } from '../../matrix/patch-source.ts';
import type { Counts, ProofMutant, ProofResult, ProofRun } from '../proof.ts';
import { loadProof } from './proof-catalogue.ts';

export interface ProofJob {
  readonly proof: string;
  readonly part: number;
  readonly scale: ProofRun['scale'];
  readonly mutant: ProofMutant | null;
}

export type ProofMessage =
  | { readonly kind: 'progress'; readonly counts: Counts }
  | { readonly kind: 'done'; readonly result: ProofResult }
  | { readonly kind: 'error'; readonly message: string };

const port = parentPort;
if (port === null) throw new Error('proof-worker.ts runs as a worker thread only');
const say = (message: ProofMessage) => port.postMessage(message);

async function run({ proof: name, part, scale, mutant }: ProofJob): Promise<ProofResult> {
  if (mutant !== null) plant(mutant);
  const proof = await loadProof(name);
  return proof.run({ scale, part, progress: (counts) => say({ kind: 'progress', counts }) });
}

function textOf(error: unknown): string {
  if (error instanceof CodedError) return `${error.message}; ${error.remediation} [${error.code}]`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

run(workerData as ProofJob).then(
  (result) => say({ kind: 'done', result }),
  (error: unknown) => say({ kind: 'error', message: textOf(error) }),
);
