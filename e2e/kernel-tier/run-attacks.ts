/**
 * Attacks on all cores, in processes of their own: each has a deadline, one that dies is a record and a new process.
 * Invariant: a record for each job, whatever happens; nothing outlives the call.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { labCommand } from '#kvm-lab/providers/netns/readiness.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { AttackProcess } from './attack-process.ts';
import { type AttackJob, withoutVerdict } from './plan-attacks.ts';

const worker = fileURLToPath(new URL('./attack-worker.ts', import.meta.url));
const attackDeadlineMs = 45_000;

const plan = () => ({ command: labCommand(worker), deadlineMs: attackDeadlineMs, withoutVerdict });

/** A window is mostly waiting, so more attacks than cores pay; too many would only make their controls slow. */
export async function runAttacks(
  jobs: readonly AttackJob[],
  signal: AbortSignal,
  onRecord: (record: CellRecord) => void,
): Promise<CellRecord[]> {
  const records = new Map<AttackJob, CellRecord>();
  // Attacks on one subject after another: its process is started once.
  const waiting = [...jobs].sort((a, b) => a.subject.localeCompare(b.subject));
  const work = async () => {
    let process: AttackProcess<AttackJob> | null = null;
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      if (signal.aborted) {
        records.set(job, withoutVerdict(job, 'not-run', 'stopped'));
        continue;
      }
      process ??= new AttackProcess(plan());
      const { record, alive }: { record: CellRecord; alive: boolean } = await process.run(job, signal);
      if (!alive) process = null;
      records.set(job, record);
      onRecord(record);
    }
    await process?.kill();
  };
  await Promise.all(Array.from({ length: Math.min(jobs.length, 2 * availableParallelism() + 1) }, work));
  return jobs.flatMap((job) => records.get(job) ?? []);
}
