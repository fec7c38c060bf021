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
import { forkShowpieces } from '../fork-tier/catalogue.ts';
import { runForkTier } from '../fork-tier/fork-tier.ts';
import { type AttackTierRun, runKernelTier } from '../kernel-tier/kernel-tier.ts';
import type { TextProgress } from './matrix-progress.ts';

/** `ready`: the decision tier whole, and one attack per claim of the tiers that this machine has. */
export type TierChoice = 'ready' | 'decision' | 'kernel' | 'vm' | 'all';

export interface TierSelection {
  readonly choice: TierChoice;
  readonly decision: boolean;
  /** Claims with attacks at tier kernel; none: it is not run. */
  readonly kernel: readonly ClaimStatement[];
  /** Likewise at tier vm, which boots guests: only when it is asked for. */
  readonly vm: readonly ClaimStatement[];
  readonly subjects: readonly BuiltInSubject[];
  /** Nothing was left out by name: the report tells what the other tiers have. */
  readonly everything: boolean;
}

/** @throws CodedError `unknown-claim`, `unknown-subject` */
export async function selectTiers(choice: TierChoice, options: MatrixOptions): Promise<TierSelection> {
  const { shard, path } = options;
  const claims = await loadStatements(await selectClaims(options.claims));
  const { builtIn: subjects } = await selectSubjects(options.subjects);
  const attackedAt = (tier: 'kernel' | 'vm') =>
    claims
      .filter(({ expected }) => expected[tier] !== undefined)
      .filter((_, index) => shard === undefined || index % shard.count === shard.index - 1);
  // A path names a case of tier decision.
  const canAttack = path === undefined && subjects.length > 0;
  const isKernelAsked = choice === 'ready' || choice === 'kernel' || choice === 'all';
  const kernel = canAttack && isKernelAsked ? attackedAt('kernel') : [];
  // The network's claims have attacks at tier vm too: those run by a command of their own.
  const vm =
    canAttack && (choice === 'vm' || choice === 'all')
      ? attackedAt('vm').filter(({ id }) => forkShowpieces.has(id))
      : [];
  const isOther = choice === 'kernel' || choice === 'vm';
  const isDecision = !isOther && (kernel.length + vm.length === 0 || claims.some(isDecisionClaim));
  const everything = choice !== 'decision' && options.claims.length === 0 && shard === undefined;
  return { choice, decision: isDecision, kernel, vm, subjects, everything };
}

/** @throws CodedError `nothing-selected` */
export async function runTiers(
  selection: TierSelection,
  options: MatrixOptions,
  progress: TextProgress,
): Promise<Report> {
  const begun = performance.now();
  const decision = selection.decision ? await runMatrix(options, progress) : null;
  const attack = (tier: 'kernel' | 'vm') =>
    selection[tier].length > 0 ? runAttackTier(tier, selection, options, progress, begun) : null;
  const kernel = await attack('kernel');
  const vm = await attack('vm');
  return merge(selection, options, { decision, kernel, vm, seconds: (performance.now() - begun) / 1_000 });
}

function runAttackTier(
  tier: 'kernel' | 'vm',
  { choice, subjects, ...selection }: TierSelection,
  { seed, signal, timeLimitSeconds }: MatrixOptions,
  progress: TextProgress,
  begun: number,
): Promise<AttackTierRun> {
  const whole = choice === 'all';
  const leftMs = (limit: number) => Math.max(1, Math.ceil(limit * 1_000 - (performance.now() - begun)));
  const timeLimit = timeLimitSeconds === undefined ? [] : [AbortSignal.timeout(leftMs(timeLimitSeconds))];
  const until = AbortSignal.any([signal, ...timeLimit]);
  const run = tier === 'kernel' ? runKernelTier : runForkTier;
  return run(
    { claims: selection[tier], subjects, seed, signal: until, whole },
    {
      onPlan: (attacks) => progress.attacks(attacks, tier),
      onRecord: (record) => progress.attacked(record),
    },
  );
}

export interface Ran {
  readonly decision: Report | null;
  readonly kernel: AttackTierRun | null;
  readonly vm: AttackTierRun | null;
  readonly seconds: number;
}

const isSkip = ({ outcome }: CellRecord) => outcome === 'unsupported' || outcome === 'not-run';
const notRun = { ran: false, cells: 0, seconds: 0 } as const;
const notYet = ['apiserver', 'cluster'] as const;

function tiersOf({ everything, vm: asked }: TierSelection, { decision, kernel, vm }: Ran): TierRun[] {
  const tiers: TierRun[] = [...(decision?.tiers ?? [])];
  for (const attacked of [kernel, vm]) {
    if (attacked === null) continue;
    const { records: _, failure: _failure, ...run } = attacked;
    tiers.push(run);
  }
  const bootsGuests = {
    ...{ tier: 'vm' as const, ...notRun },
    reason: 'it boots guests, which takes minutes, so it is not run unasked',
    remedy: 'pnpm verify --tier vm, pnpm e2e:husk-network --tier vm',
  };
  const reason = 'no claim has attacks at this tier yet';
  const others = notYet.map((tier) => ({ tier, ...notRun, reason }));
  return everything ? [...tiers, ...(asked.length === 0 ? [bootsGuests] : []), ...others] : tiers;
}

/** Claims of a tier that nothing falsified, where all subjects ran. */
function vacuousOf(
  { subjects }: TierSelection,
  claims: readonly ClaimStatement[],
  ran: AttackTierRun | null,
): string[] {
  const canTell = ran?.ran === true && subjects.length === 3 && !ran.records.some(isSkip);
  if (!canTell) return [];
  const falsified = new Set(
    ran.records.filter(({ outcome }) => outcome === 'falsified').map(({ claim }) => claim),
  );
  return claims.map(({ id }) => id).filter((id) => !falsified.has(id));
}

/** One report of what ran and what did not. */
export function merge(selection: TierSelection, options: MatrixOptions, ran: Ran): Report {
  const { decision, kernel, vm, seconds } = ran;
  const attacked = [kernel, vm].filter((one) => one !== null);
  const records = [...(decision?.records ?? []), ...attacked.flatMap((one) => one.records)];
  const skipped = records.filter(isSkip).length;
  const asExpected = records.filter((record) => record.asExpected).length;
  const unexpected = records.length - asExpected - skipped;
  const vacuous = [
    ...new Set([
      ...(decision?.summary.vacuous ?? []),
      ...vacuousOf(selection, selection.kernel, kernel),
      ...vacuousOf(selection, selection.vm, vm),
    ]),
  ];
  const failures = attacked.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  const isCut = attacked.some((one) => one.ran && one.records.some(isSkip));
  const complete = (decision?.summary.complete ?? true) && !isCut && !options.signal.aborted;
  // By default a tier is run where it is ready; one that was named has to be.
  const isRefused = attacked.some(({ ran: hasRun }) => !hasRun) && selection.choice !== 'ready';
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
