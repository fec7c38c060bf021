/** Worker thread of the matrix: runs jobs one after the other and beats once per judged case. */
import { parentPort, workerData } from 'node:worker_threads';
import { CodedError } from '#reference/base/coded-error.ts';
import { importBinds, subjectFrom } from '../subjects/load-subject.ts';
import { type BuiltInSubject, builtInSubjects } from '../subjects/subject.ts';
import { loadClaim } from './catalogue.ts';
import { plantCopy } from './patch-source.ts';
import type { Job } from './plan-jobs.ts';
import { type CellResult, runCell } from './run-cell.ts';

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly result: CellResult; readonly replayed: boolean | null }
  | { readonly kind: 'error'; readonly message: string };

const beats = new Int32Array(workerData.beats as SharedArrayBuffer);
const port = parentPort;
if (port === null) throw new Error('cell-worker.ts runs as a worker thread only');

function isBuiltIn(name: string): name is BuiltInSubject {
  return (builtInSubjects as readonly string[]).includes(name);
}

async function run(job: Job): Promise<WorkerAnswer> {
  const copy = job.mutant === undefined ? '' : plantCopy(job.mutant);
  const claim = await loadClaim(job.claim);
  const base = isBuiltIn(job.subject) ? job.subject : 'reference';
  const subject = subjectFrom(job.subject, await importBinds(base, claim.decisions, copy));
  const onCase = () => Atomics.add(beats, 0, 1);
  const result = await runCell(claim, subject, { ...job, onCase });
  if (result.outcome !== 'falsified') return { kind: 'done', result, replayed: null };
  // The command printed under a counterexample must find it again: try it before it is printed.
  const again = await runCell(claim, subject, { ...job, path: result.counterexample.path, onCase });
  const replayed =
    again.outcome === 'falsified' && again.counterexample.notation === result.counterexample.notation;
  return { kind: 'done', result, replayed };
}

/** Our own errors say what to do; of any other the reader needs to see where it came from. */
function textOf(error: unknown): string {
  if (error instanceof CodedError) return `${error.message}; ${error.remediation} [${error.code}]`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

port.on('message', (job: Job) => {
  run(job).then(
    (answer) => port.postMessage(answer),
    (error: unknown) => {
      port.postMessage({ kind: 'error', message: textOf(error) } satisfies WorkerAnswer);
    },
  );
});
port.postMessage({ kind: 'ready' } satisfies WorkerAnswer);
