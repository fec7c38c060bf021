/**
 * Runs the fuzzer in a thread that is watched: one that stops counting messages is ended and its message named; one
 * that runs out of memory, or ends, is an outcome too.
 */
import { Worker } from 'node:worker_threads';
import type { Patch } from '../../matrix/patch-source.ts';
import type { Finding, Invariant } from './finding.ts';
import type { Counterexample, FuzzBounds } from './fuzz.ts';
import { type FuzzAnswer, type FuzzJob, sharedHeaderOctets, sharedOctets } from './fuzz-worker-job.ts';
import { type FuzzTotals, newTotals } from './judge-case.ts';

export interface WatchedOutcome {
  readonly outcome: 'holds' | 'falsified' | 'hung' | 'crashed' | 'interrupted';
  readonly totals: FuzzTotals;
  readonly counterexample: Counterexample | null;
  /** What was sought. */
  readonly sought: Finding | null;
  /** Hung or crashed: the message in hex, and what was said. */
  readonly lastMessage: string | null;
  readonly reason: string;
}

export interface WatchOptions {
  readonly bounds: FuzzBounds;
  readonly mutant?: Patch;
  readonly wanted?: Invariant;
  readonly signal?: AbortSignal;
  readonly onProgress?: (totals: FuzzTotals) => void;
  /** Processor time without a message judged that counts as a hang; shrinking and starting included. */
  readonly hangMs?: number;
}

/** No message takes a millisecond. */
const defaultHangMs = 60_000;
/** A codec that hangs computes; one that is not let run by a busy machine has so many times as long. */
const idleFactor = 20;
const watchMs = 250;
const heapMb = 512;

/** Of the process: its other thread does nothing but watch. */
function clocks(): { readonly busyMs: number; readonly wallMs: number } {
  const { user, system } = process.cpuUsage();
  return { busyMs: (user + system) / 1_000, wallMs: performance.now() };
}

export function watchedFuzz({
  bounds,
  mutant,
  wanted,
  signal,
  onProgress,
  hangMs = defaultHangMs,
}: WatchOptions): Promise<WatchedOutcome> {
  const shared = new SharedArrayBuffer(sharedOctets);
  const counter = new Int32Array(shared, 0, 2);
  const planted = mutant === undefined ? {} : { mutant };
  const job: FuzzJob = { ...bounds, shared, ...planted, ...(wanted === undefined ? {} : { wanted }) };
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  return new Promise((resolve) => {
    let totals = newTotals();
    let seen = -1;
    let since = clocks();
    let ended = false;
    const end = (outcome: WatchedOutcome['outcome'], more: Partial<WatchedOutcome> = {}) => {
      if (ended) return;
      ended = true;
      clearInterval(watch);
      signal?.removeEventListener('abort', interrupt);
      const result = { outcome, totals, counterexample: null, sought: null, lastMessage: null, reason: '' };
      worker.terminate().then(() => resolve({ ...result, ...more }));
    };
    const interrupt = () => end('interrupted');
    const lastMessage = () =>
      Buffer.from(new Uint8Array(shared, sharedHeaderOctets, Atomics.load(counter, 1))).toString('hex');
    const watch = setInterval(() => {
      const now = Atomics.load(counter, 0);
      if (now !== seen) {
        seen = now;
        since = clocks();
        return;
      }
      const { busyMs, wallMs } = clocks();
      if (busyMs - since.busyMs > hangMs || wallMs - since.wallMs > idleFactor * hangMs) {
        const reason = `no message was judged in ${hangMs / 1_000} s of processor time`;
        end('hung', { lastMessage: lastMessage(), reason });
      }
    }, watchMs);
    signal?.addEventListener('abort', interrupt);
    if (signal?.aborted === true) interrupt();
    worker.on('message', (answer: FuzzAnswer) => {
      if (answer.kind === 'progress') {
        totals = answer.totals;
        onProgress?.(totals);
      } else if (answer.kind === 'sought') {
        end(answer.finding === null ? 'holds' : 'falsified', { sought: answer.finding });
      } else {
        const { counterexample } = answer.outcome;
        totals = answer.outcome.totals;
        end(counterexample === null ? 'holds' : 'falsified', { counterexample });
      }
    });
    worker.on('error', (error) =>
      end('crashed', {
        lastMessage: lastMessage(),
        reason: error instanceof Error ? error.message : String(error),
      }),
    );
    worker.on('exit', (code) =>
      end('crashed', { lastMessage: lastMessage(), reason: `it ended with ${code}` }),
    );
  });
}
