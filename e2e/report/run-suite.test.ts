/** Runs of suites: what they are told, and that no report of an earlier one is taken for theirs. */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { runSuite } from './run-suite.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = makeLabFolder('suite');
});
afterAll(() => removeLabFolder(folder));

/** A suite whose report is what it was told, or that makes none. */
function suite(source: string) {
  const script = join(folder, 'suite.mjs');
  writeFileSync(script, source);
  return {
    ...{ script: relative(root, script), reportFolder: relative(root, folder) },
    ...{ claims: ['F6.live', 'F6.order'], subjects: ['reference', 'mutant:.*'], seed: 7 },
    signal: new AbortController().signal,
  };
}
const telling = `
import { writeFileSync } from 'node:fs';
const { argv, env } = process;
writeFileSync(import.meta.dirname + '/report.json', JSON.stringify({ words: argv.slice(2), seed: env.HUSKPROOF_SEED }));`;

describe('a suite', () => {
  test('is always given its claims, its subjects and the seed', async () => {
    expect(await runSuite(suite(telling))).toEqual({
      words: ['--grep', '(F6\\.live|F6\\.order) .*(reference|mutant:.*)$'],
      seed: '7',
    });
  });

  test('that makes no report has none, whatever an earlier one left', async () => {
    expect(await runSuite(suite(telling))).not.toBeNull();
    expect(await runSuite(suite('process.exit(1);'))).toBeNull();
  });

  test('is always ended when its run is', async () => {
    const ended = { ...suite('setInterval(() => undefined, 1_000);'), signal: AbortSignal.abort() };
    expect(await runSuite(ended)).toBeNull();
  });
});
