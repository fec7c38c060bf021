/** Which lines of the decisions differ from a commit: what `--changed` mutates. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '#reference/base/coded-error.ts';
import { root } from '../tidy/source-files.ts';
import { isDecision } from './parts.ts';

export interface LineRange {
  /** From 1, both ends included. */
  readonly from: number;
  readonly to: number;
}

const decisions = 'reference/decisions';
const gitTimeoutMs = 30_000;

function git(repository: string, ...words: string[]): string {
  const options = { cwd: repository, encoding: 'utf8', timeout: gitTimeoutMs, stdio: 'pipe' } as const;
  return execFileSync('git', words, { ...options, maxBuffer: 64 * 1024 * 1024 });
}

/**
 * The commit that a change is measured against: the one that was named, else where HEAD left the main branch, else
 * the parent of HEAD.
 * @throws CodedError `unknown-commit`
 */
export function baseCommit(named: string | undefined, repository = root): string {
  const candidates = named === undefined ? ['origin/main', 'main'] : [named];
  const head = git(repository, 'rev-parse', 'HEAD').trim();
  for (const name of candidates) {
    const base = mergeBase(repository, name);
    if (base !== null && (base !== head || named !== undefined)) return base;
  }
  const parent = named === undefined ? mergeBase(repository, 'HEAD~1') : null;
  if (parent !== null) return parent;
  throw new CodedError(
    'unknown-commit',
    `there is no commit ${named ?? 'before this one'} to compare with`,
    'name one that this clone holds: pnpm test:mutation --changed <commit>',
  );
}

function mergeBase(repository: string, name: string): string | null {
  try {
    return git(repository, 'merge-base', 'HEAD', '--end-of-options', `${name}^{commit}`).trim();
  } catch (error) {
    // git's own words say that the name is unknown: the caller tries the next one.
    if (typeof (error as { status?: unknown }).status === 'number') return null;
    throw error;
  }
}

/** Changed and new lines of the decisions in the working tree, by file; tests and deletions left out. */
export function changedLines(base: string, repository = root): Map<string, LineRange[]> {
  const diff = git(
    repository,
    'diff',
    '--unified=0',
    '--no-color',
    '--no-ext-diff',
    base,
    '--',
    `${decisions}/*.ts`,
  );
  const changed = readHunks(diff);
  const fresh = git(
    repository,
    'ls-files',
    '--others',
    '--exclude-standard',
    '-z',
    '--',
    `${decisions}/*.ts`,
  );
  for (const file of fresh.split('\0').filter((name) => name !== '' && isDecision(name))) {
    changed.set(file, [{ from: 1, to: readFileSync(join(repository, file), 'utf8').split('\n').length }]);
  }
  return changed;
}

/** The new side of a diff without context. */
export function readHunks(diff: string): Map<string, LineRange[]> {
  const changed = new Map<string, LineRange[]>();
  let file: string | null = null;
  for (const line of diff.split('\n')) {
    const name = /^\+\+\+ (?:b\/(.*)|\/dev\/null)$/.exec(line);
    if (name !== null) file = name[1] ?? null;
    const [, start, count = '1'] = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    if (file === null || start === undefined || count === '0' || !isDecision(file)) continue;
    const from = Number(start);
    const ranges = changed.get(file) ?? [];
    ranges.push({ from, to: from + Number(count) - 1 });
    changed.set(file, ranges);
  }
  return changed;
}
