/**
 * The claim matrix: plans the cells, runs them on all cores, merges shards into records and says what
 * differs from what the claims declare, in either direction.
 */
import { availableParallelism } from 'node:os';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Claim, ClaimId } from '../claims/claim.ts';
import { listClaimIds, loadClaims, selectClaims, selectSubjects } from './catalogue.ts';
import { readEnvironment, subjectDigest } from './environment.ts';
import { type Cell, type Job, planCells } from './plan-jobs.ts';
import type { CellRecord, Report } from './record.ts';
import { type JobResult, runJobs } from './worker-pool.ts';

export interface MatrixOptions {
  readonly claims: readonly string[];
  readonly subjects: readonly string[];
  readonly seed: number;
  readonly runs?: number;
  readonly path?: string;
  /** `i/n` as numbers, 1-based: the claims whose index modulo n is i - 1. */
  readonly shard?: { readonly index: number; readonly count: number };
  readonly timeLimitSeconds?: number;
  readonly caseTimeoutMs?: number;
  /** Aborted by Ctrl-C: what ran so far is reported. */
  readonly signal: AbortSignal;
  /** `pnpm verify` or `pnpm test:properties`: the start of replay commands. */
  readonly command: string;
}

export interface MatrixProgress {
  /** Once, before the first job. */
  planned?(claims: readonly Claim[], cells: number, jobs: number): void;
  /** After every job: finished jobs and cases judged on the reference. */
  advanced?(jobsDone: number, judgedCases: number): void;
  /** A cell is complete. */
  record?(record: CellRecord): void;
}

const defaultCaseTimeoutMs = 20_000;
const loadTimeoutMs = 60_000;

/**
 * @throws CodedError `unknown-claim`, `unknown-subject`, `nothing-selected`
 */
export async function runMatrix(options: MatrixOptions, progress: MatrixProgress = {}): Promise<Report> {
  const started = performance.now();
  const { claims, cells } = await plan(options);
  // Cheap falsifications first: the reader sees counterexamples at once; long reference cells fill the
  // cores after.
  const jobs = cells.flatMap((cell) => cell.jobs).sort((a, b) => rank(a) - rank(b));
  progress.planned?.(claims, cells.length, jobs.length);
  const timeLimit =
    options.timeLimitSeconds === undefined ? [] : [AbortSignal.timeout(options.timeLimitSeconds * 1_000)];
  const signal = AbortSignal.any([options.signal, ...timeLimit]);
  const results = new Map<Job, JobResult>();
  const records: CellRecord[] = [];
  const cellOf = new Map(cells.flatMap((cell) => cell.jobs.map((job) => [job, cell] as const)));
  let judged = 0;
  const pool = {
    workers: availableParallelism(),
    caseTimeoutMs: options.caseTimeoutMs ?? defaultCaseTimeoutMs,
    loadTimeoutMs,
    signal,
  };
  await runJobs(jobs, pool, (job, result) => {
    results.set(job, result);
    if (job.subject === 'reference') judged += result.judgedCases;
    progress.advanced?.(results.size, judged);
    const cell = cellOf.get(job);
    if (cell === undefined || !cell.jobs.every((other) => results.has(other))) return;
    const record = mergeCell(cell, results, options.command);
    records.push(record);
    progress.record?.(record);
  });
  const order = new Map(cells.map((cell, index) => [`${cell.claim} ${cell.subject}`, index]));
  const place = ({ claim, subject }: CellRecord) => order.get(`${claim} ${subject}`) ?? 0;
  records.sort((a, b) => place(a) - place(b));
  const summary = summarise(records, claims, options, signal, (performance.now() - started) / 1_000);
  return {
    v: 1,
    environment: readEnvironment(),
    seed: options.seed,
    tiers: [{ tier: 'decision', ran: true, cells: records.length, seconds: summary.seconds }],
    summary,
    records,
  };
}

function rank(job: Job): number {
  if (job.subject === 'reference') return 1;
  return job.mutant === undefined ? 0 : 2;
}

async function plan(options: MatrixOptions): Promise<{ claims: Claim[]; cells: Cell[] }> {
  const all = await loadClaims(await listClaimIds());
  const chosen = new Set<ClaimId>(await selectClaims(options.claims));
  const { shard } = options;
  const claims = all
    .filter((claim) => chosen.has(claim.id))
    .filter((_, index) => shard === undefined || index % shard.count === shard.index - 1);
  const { builtIn, mutants } = await selectSubjects(options.subjects);
  const totalWeight = all.reduce((sum, claim) => sum + (claim.weight ?? 1), 0);
  const cells = planCells(claims, builtIn, mutants, { ...options, totalWeight }).filter(
    (cell) => cell.jobs.length > 0,
  );
  if (cells.length === 0) {
    throw new CodedError(
      'nothing-selected',
      'no cell of the matrix is selected: nothing would be proved',
      'name a claim and a subject that has input for it (docs/claims.md), or a smaller shard count',
    );
  }
  return { claims, cells };
}

function mergeCell(cell: Cell, results: ReadonlyMap<Job, JobResult>, command: string): CellRecord {
  const outcomes = cell.jobs.map((job) => ({ job, result: results.get(job) }));
  // The first shard that does not hold decides; a skip only when nothing is worse.
  const worst =
    outcomes.find(({ result }) => result?.outcome !== 'holds' && result?.outcome !== 'not-run') ??
    outcomes.find(({ result }) => result?.outcome === 'not-run') ??
    outcomes[0];
  if (worst?.result === undefined) throw new Error(`cell ${cell.claim} ${cell.subject} has no result`);
  const { job, result } = worst;
  const judgedCases = outcomes.reduce((sum, other) => sum + (other.result?.judgedCases ?? 0), 0);
  const path =
    result.outcome === 'falsified' ? result.counterexample.path : (result as { path?: string }).path;
  const pathFlag = path === undefined ? '' : ` --path ${path}`;
  const replay = `${command} --claim ${cell.claim} --subject ${cell.subject} --seed ${job.seed}${pathFlag}`;
  const common = {
    claim: cell.claim,
    subject: cell.subject,
    tier: 'decision' as const,
    outcome: result.outcome,
    expected: cell.expected,
    asExpected:
      result.outcome === cell.expected && (result.outcome !== 'falsified' || result.replayed === true),
    judgedCases,
    seed: job.seed,
    replay,
    subjectDigest: subjectDigest(cell.subject),
  };
  if (result.outcome === 'holds') return common;
  if (result.outcome !== 'falsified') return { ...common, reason: result.reason };
  const { notation, violation, shrinks } = result.counterexample;
  return {
    ...common,
    evidence: {
      case: notation,
      ...violation,
      steps: [...(violation.steps ?? [])],
      shrinks,
      replayed: result.replayed === true,
    },
  };
}

function summarise(
  records: readonly CellRecord[],
  claims: readonly Claim[],
  options: MatrixOptions,
  signal: AbortSignal,
  seconds: number,
): Report['summary'] {
  const skipped = records.filter(({ outcome }) => outcome === 'not-run' || outcome === 'unsupported').length;
  const asExpected = records.filter((record) => record.asExpected).length;
  const mutants = records.filter(({ subject }) => subject.startsWith('mutant:'));
  // A narrower selection cannot tell whether a claim is vacuous; the whole set of subjects can.
  const canTell = options.subjects.length === 0 && options.path === undefined && !signal.aborted;
  const falsified = new Set(
    records.filter(({ outcome }) => outcome === 'falsified').map(({ claim }) => claim),
  );
  const vacuous = canTell ? claims.map(({ id }) => id).filter((id) => !falsified.has(id)) : [];
  const sum = (chosen: readonly CellRecord[]) =>
    chosen.reduce((total, { judgedCases }) => total + judgedCases, 0);
  return {
    passed: asExpected === records.length && vacuous.length === 0 && !signal.aborted,
    judgedCases: sum(records.filter(({ subject }) => subject === 'reference')),
    judgedCasesAll: sum(records),
    claims: claims.length,
    cells: records.length,
    asExpected,
    unexpected: records.length - asExpected - skipped,
    skipped,
    mutants: mutants.length,
    mutantsKilled: mutants.filter(({ outcome }) => outcome === 'falsified').length,
    vacuous,
    failures: [],
    complete: !signal.aborted,
    seconds: Math.round(seconds * 10) / 10,
  };
}
