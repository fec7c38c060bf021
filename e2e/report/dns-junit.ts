/** What `pnpm check dns` found, as JUnit XML: a test case a part; what was not asked is skipped, never passed. */
import type { Checked, PartAnswer } from '../blackbox/dns/claims-of-server.ts';
import { failures } from '../blackbox/dns/part.ts';
import { xmlText } from './xml-text.ts';

const isSkip = ({ outcome }: PartAnswer) => outcome === 'unsupported' || outcome === 'not-run';

export function dnsJunit(
  { claims }: Checked,
  server: string,
  replayOf: (part: PartAnswer) => string,
): string {
  const parts = claims.flatMap((claim) => claim.parts);
  const failed = parts.filter(({ outcome }) => failures.has(outcome)).length;
  const attributes = [
    `name="${xmlText(`huskproof check dns: ${server}`)}"`,
    `tests="${parts.length}" failures="${failed}" skipped="${parts.filter(isSkip).length}"`,
  ];
  const lines = parts.map((part) => {
    const { claim, id, never, outcome, observed, give = '', ms, clause, hex } = part;
    const name = xmlText(`${id}: never ${never}`);
    const head = `<testcase classname="${claim}" name="${name}" time="${(ms / 1_000).toFixed(3)}"`;
    if (outcome === 'holds') return `  ${head}/>`;
    if (isSkip(part)) {
      const message = `${outcome}: ${observed}${give === '' ? '' : `; give ${give}`}`;
      return `  ${head}><skipped message="${xmlText(message)}"/></testcase>`;
    }
    const body = [part.sends, clause, ...(hex === undefined ? [] : [`hex ${hex}`]), replayOf(part)].join(
      '\n',
    );
    return `  ${head}><failure message="${xmlText(`${outcome}: ${observed}`)}">${xmlText(body)}</failure></testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite ${attributes.join(' ')}>\n${lines.join('\n')}\n</testsuite>\n`;
}
