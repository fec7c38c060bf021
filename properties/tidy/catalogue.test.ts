/** Claims, mutants, error codes, dependencies and generated files are what the docs say they are. */

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '#reference/contract/error-codes.ts';
import { products } from '../generate/products.ts';
import {
  claimFile,
  isDecisionClaim,
  listClaimIds,
  loadMutants,
  loadStatements,
} from '../matrix/catalogue.ts';
import { patchedSource } from '../matrix/patch-source.ts';
import { decisions } from '../protocol/decisions.ts';
import { root, sourceFiles, textOf } from './source-files.ts';

const statements = await loadStatements(await listClaimIds());
const claims = statements.filter(isDecisionClaim);
const mutants = await loadMutants();

describe('claims', () => {
  test('have unique ids that name their files', () => {
    const ids = statements.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !existsSync(`${root}${claimFile(id)}`))).toEqual([]);
    expect(ids.length).toBeGreaterThan(0);
  });

  test('always say that the reference holds', () => {
    const cells = ({ expected }: (typeof statements)[number]) => Object.values(expected);
    expect(statements.filter((claim) => cells(claim).length === 0).map(({ id }) => id)).toEqual([]);
    expect(
      statements
        .filter((claim) => cells(claim).some(({ reference }) => reference !== 'holds'))
        .map(({ id }) => id),
    ).toEqual([]);
  });

  test('are never vacuous: a subject or a mutant falsifies each', () => {
    const vacuous = claims.filter(
      ({ id, expected }) =>
        expected.decision.vulnerable !== 'falsified' &&
        expected.decision.published !== 'falsified' &&
        !mutants.some(({ killedBy, tier }) => killedBy === id && tier === undefined),
    );
    expect(vacuous.map(({ id }) => id)).toEqual([]);
  });

  test('name only decisions that exist, and keep their weight within bounds', () => {
    const unknown = claims.flatMap((claim) => claim.decisions.filter((name) => !(name in decisions)));
    expect(unknown).toEqual([]);
    expect(claims.filter(({ weight = 1 }) => weight < 0.1 || weight > 4).map(({ id }) => id)).toEqual([]);
  });
});

describe('mutants', () => {
  test('have unique ids, sit in the reference and name a claim that exists', () => {
    const ids = mutants.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const known = new Set<string>(statements.map(({ id }) => id));
    expect(
      mutants.filter(({ killedBy, file }) => !known.has(killedBy) || !file.startsWith('reference/')),
    ).toEqual([]);
  });

  test('still change exactly one place of their file', () => {
    for (const mutant of mutants) expect(patchedSource(mutant), mutant.id).not.toBe(textOf(mutant.file));
  });
});

describe('generated files', () => {
  test('are fresh: pnpm generate changes nothing', async () => {
    const stale = (await products()).filter(
      ({ path, text }) => !existsSync(`${root}${path}`) || textOf(path) !== text,
    );
    expect(stale.map(({ path }) => path)).toEqual([]);
  });
});

describe('error codes', () => {
  const thrown = new Map<string, string>();
  for (const file of sourceFiles().filter((name) => !name.endsWith('.test.ts'))) {
    for (const [, code] of textOf(file).matchAll(/new CodedError\(\s*'([^']+)'/g)) {
      if (code !== undefined) thrown.set(code, file);
    }
  }

  test('each have a row in the catalogue, and each row is thrown somewhere', () => {
    const rows = Object.keys(errorCodes);
    expect([...thrown.keys()].filter((code) => !rows.includes(code))).toEqual([]);
    const templated = ['benchmark', 'claim', 'subject', 'decision', 'proof', 'part', 'target'].map(
      (kind) => `unknown-${kind}`,
    );
    expect(rows.filter((code) => !thrown.has(code) && !templated.includes(code))).toEqual([]);
  });

  test('each have a test that provokes them', () => {
    const tests = sourceFiles().filter(
      (file) => file.endsWith('.test.ts') && !file.startsWith('properties/tidy/'),
    );
    const text = tests.map(textOf).join('\n');
    expect(Object.keys(errorCodes).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});

describe('dependencies', () => {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const all = { ...manifest.dependencies, ...manifest.devDependencies };

  test('each have a reason in docs/dependencies.md', () => {
    const page = textOf('docs/dependencies.md');
    expect(
      Object.keys(all).filter((name) => !new RegExp(`^\\| \`${name}\` +\\| \\S`, 'm').test(page)),
    ).toEqual([]);
  });

  test('are pinned to exact versions', () => {
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
