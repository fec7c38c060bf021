/** Names, sizes and leftovers: what makes a newcomer guess right. */
import { describe, expect, test } from 'vitest';
import { repositoryFiles, sourceFiles, textOf } from './source-files.ts';

const files = repositoryFiles();
const sources = sourceFiles();
const maxLines = 400;
const maxColumns = 120;

describe('the tree', () => {
  test('has files to judge', () => {
    expect(sources.length).toBeGreaterThan(50);
  });

  test('never has a drawer of leftovers', () => {
    const drawers = /(^|\/)(utils?|helpers?|common|misc|types|lib|shared)(\/|\.ts$)/;
    expect(sources.filter((file) => drawers.test(file))).toEqual([]);
  });

  test('names source files in kebab-case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(kernel|vm))?(\.(test|property|spec|observed|config))?\.ts$/;
    expect(sources.filter((file) => !kebab.test(file.split('/').at(-1) ?? ''))).toEqual([]);
  });

  test('never has a barrel', () => {
    expect(sources.filter((file) => file.endsWith('/index.ts'))).toEqual([]);
  });

  test(`never has a source file over ${maxLines} lines`, () => {
    expect(sources.filter((file) => textOf(file).split('\n').length > maxLines + 1)).toEqual([]);
  });

  test(`never has a line over ${maxColumns} columns, the text of a string left out`, () => {
    const strings = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
    const long = sources.flatMap((file) =>
      textOf(file)
        .split('\n')
        .flatMap((line, index) =>
          line.replace(strings, '""').length > maxColumns ? [`${file}:${index + 1}`] : [],
        ),
    );
    expect(long).toEqual([]);
  });

  test('opens every source file with a sentence of purpose', () => {
    expect(
      sources.filter((file) => !/^(#!.*\n)?\/\*\*?[\s*]|^\/\/ /.test(textOf(file)) && !isReExport(file)),
    ).toEqual([]);
  });

  test('never promises later work', () => {
    const promise = /\b(TODO|FIXME|XXX|not implemented)\b/;
    expect(
      sources.filter((file) => file !== 'properties/tidy/tree.test.ts' && promise.test(textOf(file))),
    ).toEqual([]);
  });

  test('never skips, focuses or leaves a test unwritten', () => {
    const modifier = /\b(it|test|describe)\.(only|skip|todo|fixme|skipIf|runIf)\b/;
    expect(
      sources.filter((file) => file !== 'properties/tidy/tree.test.ts' && modifier.test(textOf(file))),
    ).toEqual([]);
  });

  test('never swallows an error in an empty catch, nor uses any', () => {
    const wrong = /catch\s*(\([^)]*\))?\s*\{\s*\}|:\s*any\b|<any>|\bas any\b|as unknown as/;
    expect(
      sources.filter((file) => file !== 'properties/tidy/tree.test.ts' && wrong.test(textOf(file))),
    ).toEqual([]);
  });

  test('never holds a path of the machine it was written on', () => {
    const home = /(^|[\s'"`(])\/(work|root|home\/[a-z]+)\//m;
    const text = files.filter(
      (file) => !file.endsWith('pnpm-lock.yaml') && /\.(ts|md|json|ya?ml|sh)$|ci\/run$/.test(file),
    );
    expect(text.filter((file) => home.test(textOf(file)))).toEqual([]);
  });
});

/** `vulnerable` may be a one-line re-export of `published`. */
function isReExport(file: string): boolean {
  return /^export \{ bind \} from '[^']+';\n$/.test(textOf(file));
}
