/** What `pnpm check nft` found, as JUnit XML: a test case a part; what is unsupported is skipped, never passed. */
import type { Checked } from '../blackbox/nft/claims-of-ruleset.ts';
import type { PartAnswer } from '../blackbox/nft/judge.ts';
import { packetWords, pathWords } from '../blackbox/nft/packet-words.ts';
import { xmlText } from './xml-text.ts';

export function nftJunit({ claims }: Checked, source: string): string {
  const cases = claims.flatMap(({ claim, parts }) => parts.map((part) => ({ claim, part })));
  const count = (outcome: PartAnswer['outcome']) =>
    cases.filter(({ part }) => part.outcome === outcome).length;
  const attributes = [
    `name="${xmlText(`huskproof check nft: ${source}`)}"`,
    `tests="${cases.length}" failures="${count('falsified')}" skipped="${count('unsupported')}"`,
  ];
  const lines = cases.map(({ claim, part }) => {
    const name = xmlText(`${part.name}: never ${part.never}`);
    const head = `<testcase classname="${claim}" name="${name}" time="${(part.ms / 1_000).toFixed(3)}"`;
    if (part.outcome === 'holds') return `  ${head}/>`;
    if (part.outcome === 'unsupported') {
      return `  ${head}><skipped message="${xmlText(`${part.reason}; give ${part.give}`)}"/></testcase>`;
    }
    const body = xmlText([...pathWords(part.packet.path), `hex ${part.packet.frame}`].join('\n'));
    return `  ${head}><failure message="${xmlText(packetWords(part.packet))}">${body}</failure></testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite ${attributes.join(' ')}>\n${lines.join('\n')}\n</testsuite>\n`;
}
