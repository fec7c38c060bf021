/** The list of survivors: each entry is a line of its file, with a reason, once; the parts leave nothing out. */
import { describe, expect, test } from 'vitest';
import { sourceFiles, textOf } from '../tidy/source-files.ts';
import { keyOf } from './judged-mutant.ts';
import { isDecision, judgingFiles, listParts } from './parts.ts';
import { survivors } from './survivors.ts';

const flat = (text: string) => text.replace(/\s+/g, ' ');

describe('a listed survivor', () => {
  test('is always a line that stands in its file', () => {
    const stale = survivors.filter(({ file, was }) => !flat(textOf(file)).includes(was.replace(/…$/, '')));
    expect(stale).toEqual([]);
  });

  test('always has a reason and differs from what it replaces', () => {
    expect(survivors.filter(({ why, was, becomes }) => why.length < 20 || was === becomes)).toEqual([]);
  });

  test('is never listed twice', () => {
    const keys = survivors.map(keyOf);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });
});

describe('the parts', () => {
  test('always hold every decision once, with a claim or a unit test that can reach it', async () => {
    const parts = await listParts();
    const decisions = sourceFiles().filter(isDecision);
    expect(parts.flatMap(({ files }) => files).sort()).toEqual(decisions);
    expect(parts.filter(({ claims, tests }) => claims.length === 0 && tests.length < 2)).toEqual([]);
  });

  test('are always judged by every unit test beside a decision that draws no cases', async () => {
    const judging = new Set((await listParts()).flatMap(({ tests }) => tests));
    const unitTests = sourceFiles().filter(
      (file) => /^reference\/decisions\/.*\.test\.ts$/.test(file) && !textOf(file).includes("'fast-check'"),
    );
    expect(unitTests.filter((file) => !judging.has(file))).toEqual([]);
  });

  test('are always judged by the claims on every decision that they reach', async () => {
    const claimsOf = Object.fromEntries((await listParts()).map(({ name, claims }) => [name, claims]));
    expect(claimsOf['reseed-proof']).toEqual(
      expect.arrayContaining(['F6.witness', 'F6.credited', 'F6.order']),
    );
    expect(claimsOf['pin-address']).toEqual(
      expect.arrayContaining(['F1.embedded', 'F1.chain', 'F3.address']),
    );
    expect(claimsOf['kernel-digest']?.every((id) => id.startsWith('F2.'))).toBe(true);
  });

  test('are only judged again when something changes that their judges run', async () => {
    const filesOf = Object.fromEntries((await listParts()).map((part) => [part.name, judgingFiles(part)]));
    const gate = 'reference/decisions/reseed-gate.ts';
    expect(filesOf['activation-step']).toContain(gate);
    expect(filesOf['pin-ledger']).not.toContain(gate);
    expect(filesOf['reseed-gate']).toEqual(
      expect.arrayContaining([
        gate,

        'properties/claims/F6/witness.ts',
        'reference/contract/reseed.ts',
        'pnpm-lock.yaml',
      ]),
    );
  });
});
