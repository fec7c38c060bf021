/**
 * One cell of the matrix: a claim judged on a subject, with a seed. In-process; the pool puts a deadline
 * around it.
 */
import * as fc from 'fast-check';
import type { Claim } from '../claims/claim.ts';
import type { Violation } from '../oracles/violation.ts';
import { SubjectFailure } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';

export interface CellOptions {
  /** 32-bit integer. */
  readonly seed: number;
  /** Generated cases; the claim's examples come before them. */
  readonly runs: number;
  /** A counterexample's path, `example:<index>` or `fast-check path[@replayPath]`: judges that case alone. */
  readonly path?: string;
  /** Skip the claim's examples: the later shards of a cell do. */
  readonly withoutExamples?: boolean;
  /** Called before each judged case: the pool's heartbeat. */
  readonly onCase?: () => void;
}

export interface Counterexample {
  /** The shrunk case in the field's notation. */
  readonly notation: string;
  readonly violation: Violation;
  readonly path: string;
  readonly shrinks: number;
}

export type CellResult =
  | { readonly outcome: 'holds'; readonly judgedCases: number }
  | { readonly outcome: 'falsified'; readonly judgedCases: number; readonly counterexample: Counterexample }
  | {
      readonly outcome: 'crashed' | 'garbage';
      readonly judgedCases: number;
      readonly reason: string;
      readonly path?: string;
    }
  | { readonly outcome: 'not-run'; readonly judgedCases: number; readonly reason: string };

class Falsified extends Error {
  readonly violation: Violation;
  constructor(violation: Violation) {
    super(violation.observed);
    this.violation = violation;
  }
}

/** Judges examples, then generated cases; the first violation is shrunk. */
export async function runCell<Case>(
  claim: Claim<Case>,
  subject: Subject,
  options: CellOptions,
): Promise<CellResult> {
  let judgedCases = 0;
  const count = () => {
    judgedCases += 1;
    options.onCase?.();
  };
  try {
    const closed = claim.control(subject);
    if (closed !== null)
      return { outcome: 'not-run', judgedCases, reason: `positive control failed: ${closed}` };
  } catch (error) {
    if (error instanceof SubjectFailure)
      return { outcome: error.outcome, judgedCases, reason: error.message };
    throw error;
  }
  const onlyExample = /^example:(\d+)$/.exec(options.path ?? '')?.[1];
  if (onlyExample !== undefined || (options.path === undefined && options.withoutExamples !== true)) {
    const failed = await judgeExamples(claim, subject, count, onlyExample);
    if (failed !== null) return { ...failed, judgedCases };
    if (onlyExample !== undefined) return { outcome: 'holds', judgedCases };
  }
  return judgeGenerated(claim, subject, options, count, () => judgedCases);
}

type Failed =
  | { outcome: 'falsified'; counterexample: Counterexample }
  | { outcome: 'crashed' | 'garbage'; reason: string; path: string };

async function judgeExamples<Case>(
  claim: Claim<Case>,
  subject: Subject,
  count: () => void,
  only: string | undefined,
): Promise<Failed | null> {
  for (const [index, example] of (claim.examples?.() ?? []).entries()) {
    if (only !== undefined && Number(only) !== index) continue;
    count();
    const path = `example:${index}`;
    try {
      const violation = await claim.judge(subject, example);
      if (violation === null) continue;
      const notation = claim.notation(example);
      return { outcome: 'falsified', counterexample: { notation, violation, path, shrinks: 0 } };
    } catch (error) {
      if (error instanceof SubjectFailure) return { outcome: error.outcome, reason: error.message, path };
      throw error;
    }
  }
  return null;
}

async function judgeGenerated<Case>(
  claim: Claim<Case>,
  subject: Subject,
  options: CellOptions,
  count: () => void,
  judgedCases: () => number,
): Promise<CellResult> {
  const [path, replayPath] = options.path?.split('@') ?? [];
  const arbitrary = claim.arbitrary(replayPath === undefined ? {} : { replayPath });
  // A path names one case: it is judged alone, and not shrunk again.
  const only = path === undefined ? {} : { path, numRuns: 1, endOnFailure: true };
  const parameters = { seed: options.seed, numRuns: options.runs, ...only };
  const raise = (violation: Violation | null) => {
    if (violation !== null) throw new Falsified(violation);
  };
  const details =
    claim.async === true
      ? await fc.check(
          fc.asyncProperty(arbitrary, async (input) => {
            count();
            raise(await claim.judge(subject, input));
          }),
          parameters,
        )
      : fc.check(
          fc.property(arbitrary, (input) => {
            count();
            raise(claim.judge(subject, input) as Violation | null);
          }),
          parameters,
        );
  if (!details.failed) return { outcome: 'holds', judgedCases: judgedCases() };
  const [input] = details.counterexample ?? [];
  const notation = claim.notation(input as Case);
  // Only commands tell a replayPath; a record may have no prototype, hence no toString.
  const printable = typeof (input as object | undefined)?.toString === 'function';
  const replay = printable ? /replayPath="([^"]*)"/.exec(String(input))?.[1] : undefined;
  const fullPath = `${details.counterexamplePath}${replay === undefined ? '' : `@${replay}`}`;
  const error = details.errorInstance;
  if (error instanceof Falsified) {
    const counterexample = {
      notation,
      violation: error.violation,
      path: fullPath,
      shrinks: details.numShrinks,
    };
    return { outcome: 'falsified', judgedCases: judgedCases(), counterexample };
  }
  if (error instanceof SubjectFailure) {
    const reason = `${error.message}\non ${notation}`;
    return { outcome: error.outcome, judgedCases: judgedCases(), reason, path: fullPath };
  }
  throw error;
}
