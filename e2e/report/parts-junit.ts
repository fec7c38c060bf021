/** Claims part by part as JUnit XML: a test case a part; what was not asked is skipped, never passed. */
import { type ClaimAnswer, failures, type PartAnswer, skips } from '../blackbox/finding.ts';
import { xmlText } from './xml-text.ts';

export function partsJunit<Claim extends string>(
  suite: string,
  claims: readonly ClaimAnswer<Claim>[],
  replayOf: (part: PartAnswer<Claim>) => string,
): string {
  const parts = claims.flatMap((claim) => claim.parts);
  const count = (of: ReadonlySet<string>) => parts.filter(({ outcome }) => of.has(outcome)).length;
  const attributes = [
    `name="${xmlText(suite)}"`,
    `tests="${parts.length}" failures="${count(failures)}" skipped="${count(skips)}"`,
  ];
  const lines = parts.map((part) => {
    const { claim, id, never, outcome, observed, give = '', ms, sends, clause, hex } = part;
    const name = xmlText(`${id}: never ${never}`);
    const head = `<testcase classname="${claim}" name="${name}" time="${(ms / 1_000).toFixed(3)}"`;
    if (outcome === 'holds') return `  ${head}/>`;
    if (skips.has(outcome)) {
      const message = `${outcome}: ${observed}${give === '' ? '' : `; give ${give}`}`;
      return `  ${head}><skipped message="${xmlText(message)}"/></testcase>`;
    }
    const body = [sends, clause, ...(hex === undefined ? [] : [`hex ${hex}`]), replayOf(part)].join('\n');
    return `  ${head}><failure message="${xmlText(`${outcome}: ${observed}`)}">${xmlText(body)}</failure></testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite ${attributes.join(' ')}>\n${lines.join('\n')}\n</testsuite>\n`;
}
