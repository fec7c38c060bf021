/**
 * Runs attacks on forks that come as JSON lines on stdin, and writes a record a line: `fork-worker.ts ACCELERATOR
 * [MUTANT]`. A process of its own: it holds templates, and may be a mutant of the reference.
 * Invariant: a mutant's line is planted before the reference is loaded; it ends when whoever started it is gone.
 */
import { createInterface } from 'node:readline';
import { mutantNamed } from '#properties/matrix/catalogue.ts';
import { plant } from '#properties/matrix/patch-source.ts';
import type { ForkJob } from './fork-record.ts';

const [, , accelerator = 'tcg', mutant] = process.argv;
if (mutant !== undefined) plant(await mutantNamed(mutant));
const { runForkJob, closeLab } = await import('./run-fork-job.ts');

for await (const line of createInterface({ input: process.stdin })) {
  const record = await runForkJob(JSON.parse(line) as ForkJob, accelerator === 'kvm' ? 'kvm' : 'tcg');
  process.stdout.write(`${JSON.stringify(record)}\n`);
}
await closeLab();
process.exit(0);
