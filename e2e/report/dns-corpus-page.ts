/** docs/dns-corpus.md: the parts of `pnpm check dns` as others can cite them. */
import { generatedNotice, markdownTable } from '#properties/generate/markdown.ts';
import type { Product } from '#properties/generate/product.ts';
import { claimIds } from '../blackbox/dns/claim-ids.ts';
import { publishedParts } from '../blackbox/dns/corpus.ts';
import { claimSentences } from './dns-words.ts';

export function dnsCorpusPage(): Product {
  const parts = publishedParts();
  const sections = claimIds.flatMap((claim) => {
    const own = parts.filter((part) => part.claim === claim);
    if (own.length === 0) return [];
    const rows = own.map(({ id, sends, never, clause }) => [
      `\`${id}\``,
      visible(sends),
      visible(never),
      clause,
    ]);
    return [
      `## ${claim}\n\nNever: ${claimSentences[claim]}.\n\n${markdownTable(['id', 'sent', 'never', 'clause'], rows)}`,
    ];
  });
  const text = `# The corpus of \`pnpm check dns\`

${generatedNotice}

What a hostile guest and a hostile upstream send to a DNS forwarder, what must never come of it, and the clause
that a server breaks where it does: ${parts.length} parts. Ids are public and never reused; cite a part as
\`huskproof dns-server 1, <id>\`. The octets of each, as hex under a fixed name: \`pnpm --silent check dns --corpus\`.
A run asks under fresh names, beside a positive control, and adds generated cases of a printed seed. Of the parts
about labels the entry \`*.huskproof.example\` is an example: a run has those of its \`--allow\`, and likewise of
\`--deny-cidr\`, \`--nat64-prefix\` and \`--nft-set\`. What five resolvers do with it: [resolvers.md](resolvers.md).

${sections.join('\n\n')}
`;
  return { path: 'docs/dns-corpus.md', text };
}

/** Control characters by their number, as in a master file. */
function visible(text: string): string {
  return [...text]
    .map((letter) => {
      const code = letter.charCodeAt(0);
      return code < 0x20 || code === 0x7f ? `\\${String(code).padStart(3, '0')}` : letter;
    })
    .join('');
}
