/**
 * The kernel tier as `verify` runs it: one attack for each claim, or everything.
 * Invariant: where the lab cannot be had, each cell that would have run is a record `unsupported`, with reason and remedy.
 */
import { labMissing } from '#kvm-lab/providers/netns/readiness.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import type { ClaimStatement } from '#properties/claims/claim.ts';
import type { CellRecord, TierRun } from '#properties/matrix/record.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { evidenceMissing } from '../fixtures/evidence.ts';
import { runSuite } from '../report/run-suite.ts';
import { kernelSeed, planAttacks, withoutVerdict } from './plan-attacks.ts';
import { runAttacks } from './run-attacks.ts';

export interface KernelOptions {
  readonly claims: readonly ClaimStatement[];
  readonly subjects: readonly BuiltInSubject[];
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Every attack, not one for each claim. */
  readonly whole: boolean;
}

/** What became of a tier of attacks. */
export interface AttackTierRun extends TierRun {
  readonly records: readonly CellRecord[];
  /** What failed beside the cells: a test of the suite that judges none. */
  readonly failure?: string;
}

/** Told while it runs; a whole suite prints its own. */
export interface KernelProgress {
  onPlan(attacks: number): void;
  onRecord(record: CellRecord): void;
}

export async function runKernelTier(
  options: KernelOptions,
  { onPlan, onRecord }: KernelProgress,
  missingHere: () => Unsupported | null = () => labMissing() ?? evidenceMissing(),
): Promise<AttackTierRun> {
  const begun = performance.now();
  const { claims, subjects, seed, signal, whole } = options;
  const jobs = planAttacks(claims, subjects, seed);
  const tier = (records: readonly CellRecord[], ran: boolean): AttackTierRun => {
    const seconds = Math.round((performance.now() - begun) / 100) / 10;
    return { tier: 'kernel', ran, cells: records.length, seconds, records };
  };
  const missing = missingHere();
  if (missing !== null) {
    const reason = `${missing.reason}; ${missing.remedy}`;
    return {
      ...tier(
        jobs.map((job) => withoutVerdict(job, 'unsupported', reason)),
        false,
      ),
      ...missing,
    };
  }
  if (!whole) onPlan(jobs.length);
  if (!whole) return tier(await runAttacks(jobs, signal, onRecord), true);
  const ids = claims.filter(({ expected }) => expected.kernel !== undefined).map(({ id }) => id);
  const report = await runSuite({
    ...{ script: 'e2e/husk-network.ts', reportFolder: 'reports/husk-network' },
    ...{ claims: ids, subjects, seed: kernelSeed(seed), signal },
  });
  for (const record of report?.records ?? []) onRecord(record);
  const all = tier(report?.records ?? [], true);
  const failed = report === null ? 'pnpm e2e:husk-network made no report' : '';
  if (report?.summary.passed) return all;
  return { ...all, failure: failed || 'a test of pnpm e2e:husk-network failed: see reports/husk-network' };
}
