/**
 * Runs jobs on all cores, each in a worker thread with a deadline per judged case. A thread that stops
 * beating is terminated and its job is `hung`; no thread outlives `close`.
 */
import { Worker } from 'node:worker_threads';
import type { WorkerAnswer } from './cell-worker.ts';
import type { Job } from './plan-jobs.ts';
import type { CellResult } from './run-cell.ts';

export type JobResult =
  | (CellResult & { readonly replayed?: boolean | null })
  | { readonly outcome: 'hung'; readonly judgedCases: number; readonly reason: string };

export interface PoolOptions {
  readonly workers: number;
  /** Longest time between two judged cases of a job. */
  readonly caseTimeoutMs: number;
  /** Longest time a worker may take to load before its first case. */
  readonly loadTimeoutMs: number;
  /** Aborted: running jobs end as not-run, none is started. */
  readonly signal: AbortSignal;
}

const watchIntervalMs = 200;
const maxHeapMb = 1024;

interface Seat {
  worker: Worker | null;
  readonly beats: Int32Array;
}

/** Runs every job; `onResult` hears of each as it ends. Resolves when all ended and all threads are gone. */
export async function runJobs(
  jobs: readonly Job[],
  options: PoolOptions,
  onResult: (job: Job, result: JobResult) => void,
): Promise<void> {
  let next = 0;
  const seats: Seat[] = Array.from({ length: Math.min(options.workers, jobs.length) }, () => ({
    worker: null,
    beats: new Int32Array(new SharedArrayBuffer(4)),
  }));
  try {
    await Promise.all(
      seats.map(async (seat) => {
        for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
          onResult(job, options.signal.aborted ? notRun('interrupted') : await runJob(seat, job, options));
        }
      }),
    );
  } finally {
    await Promise.all(seats.map(dismiss));
  }
}

function notRun(reason: string, judgedCases = 0): JobResult {
  return { outcome: 'not-run', judgedCases, reason };
}

async function dismiss(seat: Seat): Promise<void> {
  const { worker } = seat;
  seat.worker = null;
  await worker?.terminate();
}

function hire(seat: Seat): Worker {
  const worker = new Worker(new URL('./cell-worker.ts', import.meta.url), {
    workerData: { beats: seat.beats.buffer },
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    stdout: true,
    stderr: true,
  });
  seat.worker = worker;
  return worker;
}

async function runJob(seat: Seat, job: Job, options: PoolOptions): Promise<JobResult> {
  const worker = seat.worker ?? hire(seat);
  Atomics.store(seat.beats, 0, 0);
  const result = await answerOf(worker, seat, job, options);
  if (result.outcome === 'hung' || result.outcome === 'crashed') await dismiss(seat);
  return result;
}

function answerOf(worker: Worker, seat: Seat, job: Job, options: PoolOptions): Promise<JobResult> {
  return new Promise((resolve) => {
    let lastBeat = 0;
    let lastChange = performance.now();
    const beats = () => Atomics.load(seat.beats, 0);
    const settle = (result: JobResult) => {
      clearInterval(watch);
      options.signal.removeEventListener('abort', onAbort);
      for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
      resolve(result);
    };
    const end = (result: JobResult) => {
      seat.worker = null;
      void worker.terminate();
      settle(result);
    };
    const onAbort = () => end(notRun('interrupted', beats()));
    const watch = setInterval(() => {
      const now = performance.now();
      if (beats() !== lastBeat) {
        lastBeat = beats();
        lastChange = now;
        return;
      }
      const limitMs = lastBeat === 0 ? options.loadTimeoutMs : options.caseTimeoutMs;
      if (now - lastChange < limitMs) return;
      const reason = `no answer to judged case ${lastBeat} within ${limitMs} ms (seed ${job.seed})`;
      end({ outcome: 'hung', judgedCases: lastBeat, reason });
    }, watchIntervalMs);
    options.signal.addEventListener('abort', onAbort, { once: true });
    worker.on('error', (error) =>
      end({ outcome: 'crashed', judgedCases: beats(), reason: `the thread died: ${error.message}` }),
    );
    worker.on('exit', (code) =>
      end({ outcome: 'crashed', judgedCases: beats(), reason: `the thread ended with code ${code}` }),
    );
    worker.on('message', (answer: WorkerAnswer) => {
      if (answer.kind === 'ready') return;
      if (answer.kind === 'error')
        settle({ outcome: 'crashed', judgedCases: beats(), reason: answer.message });
      else settle({ ...answer.result, replayed: answer.replayed });
    });
    worker.postMessage(job);
  });
}
