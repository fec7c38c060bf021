/** The observed-behaviour table: `published` does what was observed of the original, row by row. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../protocol/decision.ts';
import type { DecisionName } from '../../protocol/decisions.ts';
import { loadSubject } from '../load-subject.ts';
import type { Observed } from '../observed.ts';

const files = readdirSync(new URL('./', import.meta.url)).filter((file) => file.endsWith('.observed.ts'));
const tables = await Promise.all(
  files.map(async (file) => {
    const module = (await import(new URL(file, import.meta.url).href)) as {
      observed: readonly Observed<Decision>[];
    };
    return { decision: file.replace('.observed.ts', '') as DecisionName, rows: module.observed };
  }),
);

test('every decision that findings.md observed has a table', () => {
  expect(tables.map(({ decision }) => decision)).toEqual(
    expect.arrayContaining([
      'dns-build',
      'dns-query',
      'dns-reply',
      'kernel-digest',
      'pin-address',
      'pin-ledger',
      'select-husk',
      'claim-step',
    ]),
  );
});

describe.each(tables)('published $decision', ({ decision, rows }) => {
  test.each(rows)('always does as observed: $says', async ({ config, input, output }) => {
    const subject = await loadSubject('published', [decision]);
    const done = subject.decide(decision, config as never)(structuredClone(input) as never);
    expect(done).toMatchObject(output as object);
  });
});
