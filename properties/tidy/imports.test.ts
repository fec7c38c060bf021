/**
 * Imports go one way: reference ← properties ← kvm-lab ← e2e, and inside the reference contract, base ←
 * decisions ← the rest.
 */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Import, importsOf, root, sourceFiles, topFolders } from './source-files.ts';

const all: Import[] = sourceFiles().flatMap(importsOf);
const inside = all.filter((entry): entry is Import & { target: string } => entry.target !== null);
const show = ({ file, specifier }: Import) => `${file} imports ${specifier}`;

function rankOf(path: string): number {
  return topFolders.findIndex((folder) => path.startsWith(`${folder}/`));
}

/**
 * contract and base import nothing of ours; decisions import those; components import decisions; main
 * imports all.
 */
function referenceRank(path: string): number {
  if (path.startsWith('reference/contract/') || path.startsWith('reference/base/')) return 0;
  if (path.startsWith('reference/decisions/')) return 1;
  return path.startsWith('reference/main/') ? 3 : 2;
}

describe('imports', () => {
  test('the pattern finds imports at all, so that the other rules can fail', () => {
    expect(inside.length).toBeGreaterThan(50);
  });

  test('every import of ours names a file that is there', () => {
    expect(inside.filter(({ target }) => !existsSync(`${root}${target}`)).map(show)).toEqual([]);
  });

  test('a top folder never imports one that comes after it', () => {
    expect(inside.filter(({ file, target }) => rankOf(target) > rankOf(file)).map(show)).toEqual([]);
  });

  test('inside the reference, words and base never import decisions, and decisions never import components', () => {
    const wrong = inside.filter(
      ({ file, target }) =>
        file.startsWith('reference/') &&
        !file.endsWith('.test.ts') &&
        referenceRank(target) > referenceRank(file),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('contract and base never import anything of ours outside themselves', () => {
    const wrong = inside.filter(({ file, target }) => {
      const own = /^reference\/(contract|base)\//.exec(file)?.[0];
      return own !== undefined && !target.startsWith(own);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('decisions never import a module that does I/O', () => {
    const io = all.filter(
      ({ file, specifier }) =>
        file.startsWith('reference/decisions/') &&
        !file.endsWith('.test.ts') &&
        specifier.startsWith('node:') &&
        !['node:crypto', 'node:buffer'].includes(specifier),
    );
    expect(io.map(show)).toEqual([]);
  });

  test('claims, oracles, models and arbitraries never import what they judge', () => {
    const judges = /^properties\/(claims|oracles|models|arbitraries)\//;
    const judged =
      /^(reference\/(?!base\/coded-error)|properties\/(subjects\/(vulnerable|published|reference)|proofs)\/)/;
    const wrong = inside.filter(
      ({ file, target }) => judges.test(file) && !/\.(test|property)\.ts$/.test(file) && judged.test(target),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('vulnerable and published never import the reference', () => {
    const wrong = inside.filter(
      ({ file, target }) =>
        /^properties\/subjects\/(vulnerable|published)\//.test(file) &&
        !file.endsWith('.test.ts') &&
        (target.startsWith('reference/') || target.startsWith('properties/subjects/reference/')),
    );
    expect(wrong.map(show)).toEqual([]);
  });
});
