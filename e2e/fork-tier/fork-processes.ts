/**
 * The processes that attacks on forks run in: one for the subjects, one for each mutant, each with its own templates.
 * Invariant: a record for each job; none of them outlives `end`.
 */
import { fileURLToPath } from 'node:url';
import type { CellRecord } from '#properties/matrix/record.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { AttackProcess } from '../kernel-tier/attack-process.ts';
import { type ForkJob, forkWithoutVerdict } from './fork-record.ts';

const worker = fileURLToPath(new URL('./fork-worker.ts', import.meta.url));

export class ForkProcesses {
  readonly #accelerator: Accelerator;
  readonly #deadlineMs: number;
  readonly #processes = new Map<string, AttackProcess<ForkJob>>();

  /** @param deadlineMs of one attack, the boots that it needs included */
  constructor(accelerator: Accelerator, deadlineMs: number) {
    this.#accelerator = accelerator;
    this.#deadlineMs = deadlineMs;
  }

  async run(job: ForkJob, signal: AbortSignal): Promise<CellRecord> {
    const mutant = job.subject.startsWith('mutant:') ? job.subject.slice('mutant:'.length) : '';
    const process = this.#processes.get(mutant) ?? this.#start(mutant);
    this.#processes.set(mutant, process);
    const { record, alive } = await process.run(job, signal);
    if (!alive) this.#processes.delete(mutant);
    return record;
  }

  #start(mutant: string): AttackProcess<ForkJob> {
    const words = [worker, this.#accelerator, ...(mutant === '' ? [] : [mutant])];
    return new AttackProcess({
      command: [process.execPath, words],
      deadlineMs: this.#deadlineMs,
      withoutVerdict: forkWithoutVerdict,
    });
  }

  async end(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.end()));
    this.#processes.clear();
  }
}
