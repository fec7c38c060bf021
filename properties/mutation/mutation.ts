/**
 * Mutation of the decisions: every part, or the lines that changed, within a time limit.
 * Invariant: a mutant that was not judged is never counted as killed.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { unknownName } from '../matrix/catalogue.ts';
import { baseCommit, changedLines, type LineRange } from './changed-lines.ts';
import type { JudgedMutant } from './judged-mutant.ts';
import { type Comparison, compareSurvivors, percentKilled, scoreOf } from './mutation-score.ts';
import { listParts, type Part } from './parts.ts';
import { type PartResult, runPart } from './run-part.ts';
import { survivors } from './survivors.ts';

/** What the whole of the decisions must reach, in per cent. */
export const leastPercentKilled = 95;

export interface MutationOptions {
  /** Parts by name; all when empty. */
  readonly parts: readonly string[];
  /** Only lines that differ from this commit; '' for the default one, undefined for every line. */
  readonly changedSince?: string;
  readonly force: boolean;
  readonly timeLimitSeconds?: number;
  /** Aborted by Ctrl-C: what ran so far is reported. */
  readonly signal: AbortSignal;
}

export interface MutationProgress {
  planned?(parts: readonly Part[], base: string | undefined): void;
  judged?(part: Part, judged: number, planned: number): void;
  finished?(part: Part, result: PartResult, seconds: number): void;
}

export interface MutationReport {
  readonly mutants: readonly JudgedMutant[];
  readonly comparison: Comparison;
  /** Parts that were not judged whole, each with the reason. */
  readonly cut: readonly { readonly part: string; readonly left: number | undefined; readonly why: string }[];
  readonly percentKilled: number;
  readonly passed: boolean;
  readonly seconds: number;
}

interface Plan {
  readonly part: Part;
  readonly mutate: readonly string[];
}

/** @throws CodedError `unknown-part`, `unknown-commit` */
export async function runMutation(
  options: MutationOptions,
  progress: MutationProgress = {},
): Promise<MutationReport> {
  const started = performance.now();
  const base = options.changedSince === undefined ? undefined : baseCommit(options.changedSince || undefined);
  const plans = planParts(await chooseParts(options.parts), base);
  progress.planned?.(
    plans.map(({ part }) => part),
    base,
  );
  const timeLimit =
    options.timeLimitSeconds === undefined ? [] : [AbortSignal.timeout(options.timeLimitSeconds * 1_000)];
  const signal = AbortSignal.any([options.signal, ...timeLimit]);
  const mutants: JudgedMutant[] = [];
  const cut: MutationReport['cut'][number][] = [];
  const whole = new Set<string>();
  for (const { part, mutate } of plans) {
    if (signal.aborted) {
      cut.push({ part: part.name, left: undefined, why: 'the time limit came first' });
      continue;
    }
    const partStarted = performance.now();
    const onJudged = (judged: number, planned: number) => progress.judged?.(part, judged, planned);
    const result = await runPart(part, { mutate, force: options.force, signal, onJudged });
    mutants.push(...result.mutants);
    if (result.cut !== null) {
      const left = result.planned === undefined ? undefined : result.planned - result.mutants.length;
      cut.push({ part: part.name, left, why: signal.aborted ? 'the time limit came first' : result.cut });
    } else if (base === undefined) for (const file of part.files) whole.add(file);
    progress.finished?.(part, result, (performance.now() - partStarted) / 1_000);
  }
  return {
    ...judge(mutants, whole, base === undefined && options.parts.length === 0),
    cut,
    seconds: (performance.now() - started) / 1_000,
  };
}

function judge(
  mutants: readonly JudgedMutant[],
  whole: ReadonlySet<string>,
  all: boolean,
): Pick<MutationReport, 'mutants' | 'comparison' | 'percentKilled' | 'passed'> {
  const comparison = compareSurvivors(mutants, survivors, whole);
  const percent = percentKilled(scoreOf(mutants));
  // A few changed lines say nothing about the score of the whole: there the list of survivors decides.
  const enough = !all || percent >= leastPercentKilled;
  const passed = enough && comparison.unlisted.length === 0 && comparison.gone.length === 0;
  return { mutants, comparison, percentKilled: percent, passed };
}

async function chooseParts(names: readonly string[]): Promise<Part[]> {
  const parts = await listParts();
  const known = parts.map(({ name }) => name);
  for (const name of names) if (!known.includes(name)) throw unknownName('part', name, known);
  return names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name));
}

function planParts(parts: readonly Part[], base: string | undefined): Plan[] {
  if (base === undefined) return parts.map((part) => ({ part, mutate: part.files }));
  const changed = changedLines(base);
  return parts
    .map((part) => ({ part, mutate: part.files.flatMap((file) => spans(file, changed.get(file) ?? [])) }))
    .filter(({ mutate }) => mutate.length > 0);
}

function spans(file: string, ranges: readonly LineRange[]): string[] {
  return ranges.map(({ from, to }) => `${file}:${from}-${to}`);
}

/** Stryker failed, instead of being cut off: a defect, never a result. */
export function refuseFailed(report: MutationReport): void {
  const failed = report.cut.find(({ why }) => why !== 'the time limit came first');
  if (failed === undefined) return;
  throw new CodedError(
    'mutation-failed',
    `Stryker ended without a result for ${failed.part}:\n${failed.why}`,
    'run the tests it was judged by: npx vitest run -c vitest.mutation.config.ts',
  );
}
