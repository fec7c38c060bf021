/** `pnpm lab resolvers`: what is kept of a run, how two runs compare, and that the pages say what is committed. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { tools } from '#kvm-lab/resolvers/tools.ts';
import {
  committedResults,
  differences,
  type ResolverResult,
  resultPath,
  resultText,
} from '../blackbox/dns/resolver-result.ts';
import { dnsCorpusPage } from '../report/dns-corpus-page.ts';
import { resolversPage } from '../report/resolvers-page.ts';
import { resolversCommand } from './resolvers-command.ts';

const results = committedResults(tools.map(({ name }) => name));
const root = new URL('../../', import.meta.url);

describe('committed results', () => {
  test('are there for every resolver, each with an answered control', () => {
    expect(results.map(({ tool }) => tool)).toEqual(tools.map(({ name }) => name));
    expect(results.map(({ server }) => server.state)).toEqual(tools.map(() => 'answers'));
  });

  test('are written as they are read', () => {
    for (const result of results)
      expect(resultText(result)).toBe(readFileSync(resultPath(result.tool), 'utf8'));
  });

  test('hold where the path must be open: each public address is answered by each resolver', () => {
    const open = results.map(({ claims }) => claims.find(({ claim }) => claim === 'F1.public')?.outcome);
    expect(open).toEqual(tools.map(() => 'holds'));
  });

  test('hold nothing that is another in each run', () => {
    const text = results.map(resultText).join('');
    expect(text.match(/\br[0-9a-f]{8}\./)).toBeNull();
    expect(text).not.toContain('generated/');
  });
});

describe('two results', () => {
  const [first] = results as [ResolverResult];
  test('that are the same differ in nothing', () => {
    expect(differences(first, first)).toEqual([]);
  });

  test('that differ in one part name it, with both outcomes', () => {
    const changed = JSON.parse(
      JSON.stringify(first).replace(
        '"id":"answer/other-owner","outcome":"falsified"',
        '"id":"answer/other-owner","outcome":"holds"',
      ),
    );
    expect(differences(first, changed)).toEqual(['F1.chain answer/other-owner: falsified → holds']);
  });

  test('of which one lacks a part differ in it', () => {
    const less = { ...first, claims: first.claims.filter(({ claim }) => claim !== 'F1.source') };
    expect(differences(first, less)).toContain('F1.source reply/id/low-bit: holds → undefined');
  });
});

describe('pages', () => {
  test.each([resolversPage(), dnsCorpusPage()])(
    '$path is fresh: pnpm generate changes nothing',
    ({ path, text }) => {
      expect(readFileSync(new URL(path, root), 'utf8')).toBe(text);
    },
  );
});

test('an unknown resolver is refused with those that there are', async () => {
  await expect(resolversCommand(['bund'], {})).rejects.toMatchObject({
    code: 'unknown-tool',
    remediation: expect.stringContaining('unbound'),
  });
});
