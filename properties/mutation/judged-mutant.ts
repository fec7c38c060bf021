/**
 * A mutant that Stryker made and its tests judged, as a reader meets it and as the list of survivors names it.
 * Invariant: it is named by its text, never by a line number, so that the list outlives edits elsewhere.
 */

/** What Stryker reports of a mutant, as far as we read it; positions count from 1. */
export interface StrykerMutant {
  readonly fileName: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: Position; readonly end: Position };
  readonly status: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

export interface JudgedMutant {
  /** From the repository root. */
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly mutator: string;
  /** The lines that it changes, as one line, and what they become. */
  readonly was: string;
  readonly becomes: string;
  readonly outcome: 'killed' | 'timeout' | 'survived' | 'uncovered' | 'invalid';
}

const outcomes: Readonly<Record<string, JudgedMutant['outcome']>> = {
  Killed: 'killed',
  Timeout: 'timeout',
  Survived: 'survived',
  NoCoverage: 'uncovered',
  RuntimeError: 'invalid',
  CompileError: 'invalid',
};
/** Long enough to tell mutants apart, short enough to be read. */
const longestText = 160;

/**
 * @param source the file as it was mutated
 * @throws Error for a status that Stryker gives no judged mutant
 */
export function judgedMutant(mutant: StrykerMutant, file: string, source: string): JudgedMutant {
  const outcome = outcomes[mutant.status];
  if (outcome === undefined) throw new Error(`${file}: no mutant ends as ${mutant.status}`);
  const { start, end } = mutant.location;
  const lines = source.split('\n').slice(start.line - 1, end.line);
  const before = (lines[0] ?? '').slice(0, start.column - 1);
  const after = (lines.at(-1) ?? '').slice(end.column - 1);
  return {
    file,
    line: start.line,
    mutator: mutant.mutatorName,
    was: oneLine(lines.join('\n')),
    becomes: oneLine(before + mutant.replacement + after),
    outcome,
  };
}

function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > longestText ? `${flat.slice(0, longestText)}…` : flat;
}

/** Two mutants with one key are the same mistake in lines of the same text. */
export function keyOf({ file, was, becomes }: Pick<JudgedMutant, 'file' | 'was' | 'becomes'>): string {
  return JSON.stringify([file, was, becomes]);
}

/** It changed nothing that a test saw. */
export function lives({ outcome }: JudgedMutant): boolean {
  return outcome === 'survived' || outcome === 'uncovered';
}
