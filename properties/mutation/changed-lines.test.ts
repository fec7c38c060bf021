/** What `--changed` mutates: lines of decisions that are new or differ, measured against the right commit. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseCommit, changedLines, readHunks } from './changed-lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'huskproof-changed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const author = ['-c', 'user.name=t', '-c', 'user.email=t@example.test', '-c', 'commit.gpgsign=false'];
const git = (...words: string[]) =>
  execFileSync('git', [...author, ...words], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();

function commit(files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  git('add', '--all');
  git('commit', '--quiet', '--message', 'change');
  return git('rev-parse', 'HEAD');
}

const decision = 'reference/decisions/a.ts';
let first = '';
let onMain = '';
let onBranch = '';
beforeAll(() => {
  git('init', '--quiet', '--initial-branch', 'main');
  first = commit({ [decision]: '1\n2\n3\n4\n5\n' });
  onMain = commit({ 'reference/decisions/b/b.ts': '1\n2\n' });
  git('checkout', '--quiet', '-b', 'branch');
  onBranch = commit({
    [decision]: '1\ntwo\n4\n5\n6\n7\n',
    'reference/decisions/a.test.ts': 'a test\n',
    'reference/base/c.ts': 'no decision\n',
  });
});

describe('the base commit', () => {
  test('is always where the branch left main', () => {
    expect(baseCommit(undefined, folder)).toBe(onMain);
  });

  test('is always the one that is named', () => {
    expect(baseCommit(first, folder)).toBe(first);
    expect(baseCommit('HEAD', folder)).toBe(onBranch);
  });

  test('of main itself is always its parent', () => {
    git('checkout', '--quiet', 'main');
    expect(baseCommit(undefined, folder)).toBe(first);
    git('checkout', '--quiet', 'branch');
  });

  test.each(['no-such-name', '--all', 'HEAD~99'])('is refused when it is not there: %s', (name) => {
    expect(() => baseCommit(name, folder)).toThrow(expect.objectContaining({ code: 'unknown-commit' }));
  });
});

describe('changed lines', () => {
  test('are only the new side of what differs, in decisions that are no tests', () => {
    expect([...changedLines(onMain, folder)]).toEqual([
      [
        decision,
        [
          { from: 2, to: 2 },
          { from: 5, to: 6 },
        ],
      ],
    ]);
    expect([...changedLines(first, folder).keys()]).toEqual([decision, 'reference/decisions/b/b.ts']);
  });

  test('are always those of the working tree, new files included', () => {
    writeFileSync(join(folder, 'reference/decisions/new.ts'), '1\n2');
    writeFileSync(join(folder, 'reference/decisions/new.test.ts'), '1');
    expect([...changedLines(onBranch, folder)]).toEqual([
      ['reference/decisions/new.ts', [{ from: 1, to: 2 }]],
    ]);
    rmSync(join(folder, 'reference/decisions/new.ts'));
  });

  test('are never any where nothing differs', () => {
    expect(changedLines(onBranch, folder).size).toBe(0);
  });

  test('are never any of a file that is gone, nor of lines that are', () => {
    const gone = '--- a/reference/decisions/a.ts\n+++ /dev/null\n@@ -1,5 +0,0 @@\n-1\n';
    const shorter =
      '--- a/reference/decisions/a.ts\n+++ b/reference/decisions/a.ts\n@@ -2,2 +1,0 @@\n-2\n-3\n';
    expect(readHunks(gone).size).toBe(0);
    expect(readHunks(shorter).size).toBe(0);
  });
});
