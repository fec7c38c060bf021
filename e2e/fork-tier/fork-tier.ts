/**
 * Tier vm as `verify` runs it: one attack for each claim, or everything.
 * Invariant: where no guest can be booted, each cell that would have run is a record `unsupported`, with reason and
 * remedy.
 */
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { evidenceMissing } from '../fixtures/evidence.ts';
import type { AttackTierRun, KernelOptions, KernelProgress } from '../kernel-tier/kernel-tier.ts';
import { runSuite } from '../report/run-suite.ts';
import { ForkProcesses } from './fork-processes.ts';
import { type ForkJob, forkReportFolder, forkWithoutVerdict, planForks } from './fork-record.ts';

const attackDeadlineMs = 600_000;

export const forksMissing = (): Unsupported | null => microvmUnsupported() ?? evidenceMissing();

export async function runForkTier(
  options: KernelOptions,
  { onPlan, onRecord }: KernelProgress,
  missingHere: () => Unsupported | null = forksMissing,
): Promise<AttackTierRun> {
  const begun = performance.now();
  const { claims, subjects, seed, signal, whole } = options;
  const jobs = planForks(claims, subjects, seed);
  const tier = (records: readonly CellRecord[], ran: boolean): AttackTierRun => {
    const seconds = Math.round((performance.now() - begun) / 100) / 10;
    return { tier: 'vm', ran, cells: records.length, seconds, records };
  };
  const missing = missingHere();
  if (missing !== null) {
    const reason = `${missing.reason}; ${missing.remedy}`;
    const skipped = jobs.map((job) => forkWithoutVerdict(job, 'unsupported', reason));
    return { ...tier(skipped, false), ...missing };
  }
  if (!whole) {
    onPlan(jobs.length);
    return tier(await runForks(jobs, signal, onRecord), true);
  }
  const report = await runSuite({
    ...{ script: 'e2e/fork.ts', reportFolder: forkReportFolder, seed, signal },
    claims: claims.map(({ id }) => id),
    subjects: subjects.length === 3 ? [...subjects, 'mutant:.*'] : subjects,
  });
  for (const record of report?.records ?? []) onRecord(record);
  const all = tier(report?.records ?? [], true);
  if (report?.summary.passed) return all;
  const failure =
    report === null ? 'pnpm e2e:fork made no report' : 'a test of pnpm e2e:fork failed: see reports/fork';
  return { ...all, failure };
}

/** One after the other: each uses a core or two by itself. */
export async function runForks(
  jobs: readonly ForkJob[],
  signal: AbortSignal,
  onRecord: (record: CellRecord) => void,
): Promise<CellRecord[]> {
  const { accelerator } = await probeAccelerator();
  const processes = new ForkProcesses(accelerator, attackDeadlineMs);
  const records = new Map<ForkJob, CellRecord>();
  // Subject by subject: a template of a subject is booted once.
  const bySubject = [...Map.groupBy(jobs, ({ subject }) => subject).values()].flat();
  try {
    for (const job of bySubject) {
      const record = signal.aborted
        ? forkWithoutVerdict(job, 'not-run', 'stopped')
        : await processes.run(job, signal);
      records.set(job, record);
      onRecord(record);
    }
  } finally {
    await processes.end();
  }
  return jobs.flatMap((job) => records.get(job) ?? []);
}
