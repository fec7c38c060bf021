/** Worker thread of the fuzzer: judges cases, and leaves each message where a hang can be read from. */
import { parentPort, workerData } from 'node:worker_threads';
import { plantCopy } from '../../matrix/patch-source.ts';
import { loadCodec } from './codec.ts';
import { fuzz, seek } from './fuzz.ts';
import { type FuzzAnswer, type FuzzJob, sharedHeaderOctets } from './fuzz-worker-job.ts';

const port = parentPort;
if (port === null) throw new Error('fuzz-worker.ts runs as a worker thread only');
const job = workerData as FuzzJob;
const counter = new Int32Array(job.shared, 0, 2);
const message = new Uint8Array(job.shared, sharedHeaderOctets);

function before(octets: Uint8Array): void {
  message.set(octets);
  Atomics.store(counter, 1, octets.length);
  Atomics.add(counter, 0, 1);
}

const say = (answer: FuzzAnswer) => port.postMessage(answer);

const codec = await loadCodec(job.mutant === undefined ? '' : plantCopy(job.mutant));
if (job.wanted === undefined) {
  const outcome = fuzz(codec, job, { before, onBatch: (totals) => say({ kind: 'progress', totals }) });
  say({ kind: 'done', outcome });
} else {
  say({ kind: 'sought', finding: seek(codec, job.wanted, job, before) });
}
