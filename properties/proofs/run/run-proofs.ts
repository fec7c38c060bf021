/**
 * Runs proofs, each part in a thread of its own, two at a time. A mutant counts as found only when its
 * proof was refuted: a crash, a hang or an interruption is an outcome of its own.
 */
import { Worker } from 'node:worker_threads';
import type { Counts, Proof, ProofMutant, ProofResult } from '../proof.ts';
import type { ProofJob, ProofMessage } from './proof-worker.ts';

export type ProofOutcome =
  | ProofResult
  | { readonly outcome: 'crashed'; readonly counts: Counts; readonly reason: string }
  | { readonly outcome: 'not-run'; readonly counts: Counts; readonly reason: string };

export interface ProofReport {
  readonly proof: Proof;
  /** null: the reference as it stands. */
  readonly mutant: ProofMutant | null;
  readonly result: ProofOutcome;
  /** Of the longest part. */
  readonly seconds: number;
}

export interface RunProofsOptions {
  readonly mutants: boolean;
  /** Of the proofs themselves; mutants are refuted in the small scope. */
  readonly scale: ProofJob['scale'];
  readonly signal: AbortSignal;
  readonly progress: (proof: Proof, counts: Counts) => void;
  readonly report: (report: ProofReport) => void;
}

const threads = 2;
/** A proof that takes longer is no figure of anybody. */
const timeLimitMs = 600_000;
const maxHeapMb = 2048;

interface Task {
  readonly proof: Proof;
  readonly mutant: ProofMutant | null;
  readonly jobs: readonly ProofJob[];
  readonly ended: { readonly result: ProofOutcome; readonly seconds: number }[];
}

/** Reports come as they end; the returned list is in the order of the proofs, mutants after their proof. */
export async function runProofs(proofs: readonly Proof[], options: RunProofsOptions): Promise<ProofReport[]> {
  const tasks = proofs.flatMap((proof) => tasksOf(proof, options));
  // Proofs first: mutants say something about the proofs, not about the reference.
  const queue = [...tasks]
    .sort((a, b) => Number(a.mutant !== null) - Number(b.mutant !== null))
    .flatMap((task) => task.jobs.map((job) => ({ task, job })));
  const seat = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { task, job } = next;
      const start = performance.now();
      const result = await runJob(job, options.signal, (counts) => options.progress(task.proof, counts));
      task.ended.push({ result, seconds: (performance.now() - start) / 1000 });
      if (task.ended.length === task.jobs.length) options.report(reportOf(task));
    }
  };
  await Promise.all(Array.from({ length: threads }, seat));
  return tasks.map(reportOf);
}

function tasksOf(proof: Proof, { mutants, scale }: RunProofsOptions): Task[] {
  const parts = Array.from({ length: proof.parts ?? 1 }, (_, part) => part);
  const task = (mutant: ProofMutant | null): Task => ({
    proof,
    mutant,
    jobs: parts.map((part) => ({
      proof: proof.name,
      part,
      scale: mutant === null ? scale : 'small',
      mutant,
    })),
    ended: [],
  });
  return [task(null), ...(mutants ? proof.mutants.map(task) : [])];
}

function reportOf({ proof, mutant, ended }: Task): ProofReport {
  const results = ended.map(({ result }) => result);
  // The worst part speaks for the whole; a refutation is worth more than a part that broke off.
  const worst =
    results.find(({ outcome }) => outcome === 'refuted') ??
    results.find(({ outcome }) => outcome === 'crashed') ??
    results.find(({ outcome }) => outcome === 'not-run') ??
    results[0];
  const seconds = Math.max(0, ...ended.map((one) => one.seconds));
  if (worst === undefined) throw new Error(`the proof ${proof.name} has no parts`);
  return { proof, mutant, result: { ...worst, counts: added(results.map(({ counts }) => counts)) }, seconds };
}

function added(all: readonly Counts[]): Counts {
  const sum: Record<string, number> = {};
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}

function runJob(
  job: ProofJob,
  signal: AbortSignal,
  progress: (counts: Counts) => void,
): Promise<ProofOutcome> {
  let counts: Counts = {};
  if (signal.aborted) return Promise.resolve({ outcome: 'not-run', counts, reason: 'interrupted' });
  const worker = new Worker(new URL('./proof-worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  });
  return new Promise((resolve) => {
    const settle = (outcome: ProofOutcome) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      worker.removeAllListeners();
      worker.terminate().then(() => resolve(outcome));
    };
    const onAbort = () => settle({ outcome: 'not-run', counts, reason: 'interrupted' });
    const timer = setTimeout(
      () => settle({ outcome: 'not-run', counts, reason: `not done after ${timeLimitMs / 1000} s` }),
      timeLimitMs,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    worker.on('error', (error) =>
      settle({ outcome: 'crashed', counts, reason: error.stack ?? error.message }),
    );
    worker.on('exit', (code) =>
      settle({ outcome: 'crashed', counts, reason: `the thread ended with code ${code}` }),
    );
    worker.on('message', (message: ProofMessage) => {
      if (message.kind === 'progress') {
        counts = message.counts;
        progress(counts);
      } else if (message.kind === 'done') settle(message.result);
      else settle({ outcome: 'crashed', counts, reason: message.message });
    });
  });
}
