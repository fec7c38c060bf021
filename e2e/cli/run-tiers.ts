/**
 * Runs the tiers that were asked for, one after the other, and merges what they found into one report.
 * Invariant: a cell that did not run is in the report as such, and never counted as passed.
 */
import type { ClaimStatement } from '#properties/claims/claim.ts';
import {
  isDecisionClaim,
  loadStatements,
  selectClaims,
  selectSubjects,
} from '#properties/matrix/catalogue.ts';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { type MatrixOptions, runMatrix } from '#properties/matrix/matrix.ts';
import type { CellRecord, Report, TierRun } from '#properties/matrix/record.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { type KernelRun, runKernelTier } from '../kernel-tier/kernel-tier.ts';
import type { TextProgress } from './matrix-progress.ts';

/** `ready`: the decision tier whole, and one attack per claim of the tiers that this machine has. */
export type TierChoice = 'ready' | 'decision' | 'kernel' | 'all';

export interface TierSelection {
  readonly choice: TierChoice;
  readonly decision: boolean;
  /** Claims with attacks at tier kernel; none: it is not run. */
  readonly kernel: readonly ClaimStatement[];
  readonly subjects: readonly BuiltInSubject[];
  /** Nothing was left out by name: the report tells what the other tiers have. */
  readonly everything: boolean;
}

/** @throws CodedError `unknown-claim`, `unknown-subject` */
export async function selectTiers(choice: TierChoice, options: MatrixOptions): Promise<TierSelection> {
  const { shard, path } = options;
  const claims = await loadStatements(await selectClaims(options.claims));
  const { builtIn: subjects } = await selectSubjects(options.subjects);
  const kernel = claims
    .filter(({ expected }) => expected.kernel !== undefined)
    .filter((_, index) => shard === undefined || index % shard.count === shard.index - 1);
  // A path names a case of tier decision.
  const isKernel = choice !== 'decision' && path === undefined && subjects.length > 0 && kernel.length > 0;
  const isDecision = choice !== 'kernel' && (!isKernel || claims.some(isDecisionClaim));
  const everything = choice !== 'decision' && options.claims.length === 0 && shard === undefined;
  return { choice, decision: isDecision, kernel: isKernel ? kernel : [], subjects, everything };
}

/** @throws CodedError `nothing-selected` */
export async function runTiers(
  selection: TierSelection,
  options: MatrixOptions,
  progress: TextProgress,
): Promise<Report> {
  const begun = performance.now();
  const decision = selection.decision ? await runMatrix(options, progress) : null;
  const kernel = selection.kernel.length > 0 ? await runKernel(selection, options, progress, begun) : null;
  return merge(selection, options, { decision, kernel, seconds: (performance.now() - begun) / 1_000 });
}

function runKernel(
  { choice, kernel, subjects }: TierSelection,
  { seed, signal, timeLimitSeconds }: MatrixOptions,
  progress: TextProgress,
  begun: number,
): Promise<KernelRun> {
  const whole = choice === 'all';
  const leftMs = (limit: number) => Math.max(1, Math.ceil(limit * 1_000 - (performance.now() - begun)));
  const timeLimit = timeLimitSeconds === undefined ? [] : [AbortSignal.timeout(leftMs(timeLimitSeconds))];
  const until = AbortSignal.any([signal, ...timeLimit]);
  return runKernelTier(
    { claims: kernel, subjects, seed, signal: until, whole },
    {
      onPlan: (attacks) => progress.attacks(attacks),
      onRecord: (record) => progress.attacked(record),
    },
  );
}

export interface Ran {
  readonly decision: Report | null;
  readonly kernel: KernelRun | null;
  readonly seconds: number;
}

const isSkip = ({ outcome }: CellRecord) => outcome === 'unsupported' || outcome === 'not-run';
const noAttacks = { reason: 'no claim has attacks at this tier yet' };
const notYet = [
  { tier: 'vm', reason: 'verify starts no microVM', remedy: 'pnpm e2e:husk-network --tier vm' },
  { tier: 'apiserver', ...noAttacks },
  { tier: 'cluster', ...noAttacks },
] as const;

function tiersOf({ everything }: TierSelection, { decision, kernel }: Ran): TierRun[] {
  const tiers: TierRun[] = [...(decision?.tiers ?? [])];
  if (kernel !== null) {
    const { records: _, failure: _failure, ...run } = kernel;
    tiers.push(run);
  }
  const others = notYet.map((one) => ({ ...one, ran: false, cells: 0, seconds: 0 }));
  return everything ? [...tiers, ...others] : tiers;
}

/** Claims of tier kernel that nothing falsified, where all subjects ran. */
function vacuousOf({ subjects, kernel: claims }: TierSelection, kernel: KernelRun | null): string[] {
  const canTell = kernel?.ran === true && subjects.length === 3 && !kernel.records.some(isSkip);
  if (!canTell) return [];
  const falsified = new Set(
    kernel.records.filter(({ outcome }) => outcome === 'falsified').map(({ claim }) => claim),
  );
  return claims.map(({ id }) => id).filter((id) => !falsified.has(id));
}

/** One report of what ran and what did not. */
export function merge(selection: TierSelection, options: MatrixOptions, ran: Ran): Report {
  const { decision, kernel, seconds } = ran;
  const records = [...(decision?.records ?? []), ...(kernel?.records ?? [])];
  const skipped = records.filter(isSkip).length;
  const asExpected = records.filter((record) => record.asExpected).length;
  const unexpected = records.length - asExpected - skipped;
  const vacuous = [...new Set([...(decision?.summary.vacuous ?? []), ...vacuousOf(selection, kernel)])];
  const failures = kernel?.failure === undefined ? [] : [kernel.failure];
  const isCut = kernel?.ran === true && kernel.records.some(isSkip);
  const complete = (decision?.summary.complete ?? true) && !isCut && !options.signal.aborted;
  // By default a tier is run where it is ready; one that was named has to be.
  const isRefused = kernel?.ran === false && selection.choice !== 'ready';
  const ofReference = (chosen: readonly CellRecord[]) =>
    chosen.filter(({ subject }) => subject === 'reference');
  const judged = (chosen: readonly CellRecord[]) =>
    chosen.reduce((sum, { judgedCases }) => sum + judgedCases, 0);
  return {
    v: 1,
    environment: readEnvironment(),
    seed: options.seed,
    tiers: tiersOf(selection, ran),
    summary: {
      passed: unexpected === 0 && vacuous.length === 0 && failures.length === 0 && complete && !isRefused,
      judgedCases: judged(ofReference(records)),
      judgedCasesAll: judged(records),
      claims: new Set(records.map(({ claim }) => claim)).size,
      cells: records.length,
      asExpected,
      unexpected,
      skipped,
      mutants: decision?.summary.mutants ?? 0,
      mutantsKilled: decision?.summary.mutantsKilled ?? 0,
      vacuous,
      failures,
      complete,
      seconds: Math.round(seconds * 10) / 10,
    },
    records,
  };
}
