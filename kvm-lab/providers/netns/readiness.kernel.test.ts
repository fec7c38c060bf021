/** What a machine lacks for the lab in namespaces is named, with what to do about it: each lack is staged. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Unsupported } from '../unsupported.ts';
import { netnsUnsupported } from './netns.ts';
import { rootlessUnsupported } from './rootless.ts';

const { PATH = '' } = process.env;
const folder = mkdtempSync(join(tmpdir(), 'readiness-test-'));
const netns = fileURLToPath(new URL('netns.ts', import.meta.url));

beforeAll(() => {
  // Of use to nobody, too.
  chmodSync(folder, 0o755);
  process.env.PATH = `${folder}:${PATH}`;
});

afterAll(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

/** A program found before the real one; it goes when `work` is done. */
function instead<Result>(program: string, script: string, work: () => Result): Result {
  const path = join(folder, program);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  try {
    return work();
  } finally {
    rmSync(path);
  }
}

test('where everything is there nothing is said', () => {
  expect(netnsUnsupported()).toBeNull();
});

test('no nf_tables: what nft said, and the module', () => {
  const script = '[ "$1" = --version ] || { echo "Operation not supported" >&2; exit 1; }';
  const missing = instead('nft', script, netnsUnsupported);
  expect(missing?.reason).toContain('Operation not supported');
  expect(missing?.remedy).toContain('nf_tables');
});

test('neither the rights of root nor a user namespace: refused, and said by which call', () => {
  const say = `console.log(JSON.stringify((await import(${JSON.stringify(netns)})).netnsUnsupported()))`;
  const words = [
    '--bounding-set=-all',
    '--inh-caps=-all',
    process.execPath,
    '--input-type=module',
    '-e',
    say,
  ];
  const { stdout, stderr } = spawnSync('setpriv', words, { encoding: 'utf8', timeout: 20_000 });
  expect(stderr).toBe('');
  const missing = JSON.parse(stdout) as Unsupported;
  expect(missing.reason).toMatch(/^a network namespace cannot be had: unshare: EPERM/);
  expect(missing.remedy).toContain('user namespaces');
});

test('no user namespaces: said, with the sysctls', () => {
  const missing = instead('unshare', 'echo "unshare failed" >&2; exit 1', rootlessUnsupported);
  expect(missing?.reason).toBe('an unprivileged user gets no user namespace');
  expect(missing?.remedy).toContain('user.max_user_namespaces');
});

test('no table in a user namespace: said', () => {
  const missing = instead('nft', 'exit 1', rootlessUnsupported);
  expect(missing?.reason).toBe('no table can be made in a user namespace');
});
