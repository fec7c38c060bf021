/** docs/resolvers.md: what `pnpm check dns` found of others' resolvers and of our proxies, as it is committed. */
import { tools } from '#kvm-lab/resolvers/tools.ts';
import { generatedNotice, markdownTable } from '#properties/generate/markdown.ts';
import type { Product } from '#properties/generate/product.ts';
import { type ClaimId, claimIds } from '../blackbox/dns/claim-ids.ts';
import { committedResults, type PartResult, type ResolverResult } from '../blackbox/dns/resolver-result.ts';
import { failures } from '../blackbox/finding.ts';
import { claimSentences } from './dns-words.ts';

/** Each address of the corpus that must be blocked is in one of these. */
const addressClaims: readonly ClaimId[] = [
  'F1.embedded',
  'F1.6to4',
  'F1.site-local',
  'F1.embeddings',
  'F1.special-purpose',
  'F1.cloud',
];

const partsOf = ({ claims }: ResolverResult, claim: ClaimId): readonly PartResult[] =>
  claims.find((one) => one.claim === claim)?.parts ?? [];
const isSkip = ({ outcome }: PartResult) => outcome === 'unsupported' || outcome === 'not-run';
const isFailure = ({ outcome }: PartResult) => failures.has(outcome);

function passed(result: ResolverResult, claims: readonly ClaimId[]): string {
  const asked = claims.flatMap((claim) => partsOf(result, claim)).filter((part) => !isSkip(part));
  const count = asked.filter(isFailure).length;
  return count === 0 ? `none of ${asked.length}` : `**${count}** of ${asked.length}`;
}

/** `holds`, or how many of its parts do. */
function cell(result: ResolverResult, claim: ClaimId): string {
  const all = partsOf(result, claim);
  const asked = all.filter((part) => !isSkip(part));
  const outcome = result.claims.find((one) => one.claim === claim)?.outcome ?? 'not-run';
  if (asked.length === 0) return outcome;
  const held = asked.filter((part) => !isFailure(part)).length;
  return outcome === 'holds' ? `holds (${held})` : `${outcome} (${held} of ${asked.length} hold)`;
}

export function resolversPage(): Product {
  const results = committedResults(tools.map(({ name }) => name));
  const names = results.map(({ tool }) => tool);
  const addresses = markdownTable(
    ['must be blocked, and passed', ...names],
    [
      ...addressClaims.map((claim) => [claim, ...results.map((result) => passed(result, [claim]))]),
      ['all of them', ...results.map((result) => passed(result, addressClaims))],
      ['public, and not answered', ...results.map((result) => passed(result, ['F1.public']))],
    ],
  );
  const claims = markdownTable(
    ['claim', 'never', ...names],
    claimIds.map((claim) => [claim, claimSentences[claim], ...results.map((result) => cell(result, claim))]),
  );
  const ours = tools.filter(({ debianPackage }) => debianPackage === null).map(({ name }) => name);
  const text = `# Five resolvers that nobody here wrote, and our proxies

${generatedNotice}

Each resolver was run as Debian packages it, with its documented setting against rebinding and DNSSEC off, in
namespaces of its own (\`pnpm lab resolvers\`). No cache answers, since every name is asked once; TTLs are left as
each handles them. \`pnpm check dns\` is its guest and its only upstream, and asks what finding F1 asks. None of them
promises what F1 asks: they are resolvers, not the egress filter of a sandbox. The table says what a guest behind one
would get. What is sent, part by part: [dns-corpus.md](dns-corpus.md).

${ours.join(', ')}: the DNS proxies of this repository, asked the same. They have an allowlist and pin what
they answer, so that they are asked that too.

## Addresses

Of the published corpus ([addresses.json](../properties/vectors/addresses.json)), each distinct address that needs no
operator policy: alone in an honest-looking reply, as A or AAAA of the name that was asked.

${addresses}

## Claims

In brackets: how many of its parts hold. \`unsupported\`: nobody outside can see it, or it was not told of such a
setting.

${claims}

${results.map(section).join('\n')}`;
  return { path: 'docs/resolvers.md', text };
}

function section(result: ResolverResult): string {
  const { tool, version, setting, documented, beside } = result;
  const shown = claimIds.flatMap((claim) => example(result, claim));
  return `## ${tool}

${version}. Setting: \`${setting}\` (${documented}). Beside it: ${beside}. Again: \`pnpm lab resolvers ${tool} --check\`

${shown.join('\n')}
`;
}

const shownParts = 3;

/** The first parts of a claim that fail. */
function example(result: ResolverResult, claim: ClaimId): string[] {
  const failing = partsOf(result, claim).filter(isFailure);
  if (failing.length === 0) return [];
  const words = failing
    .slice(0, shownParts)
    .map(
      ({ id, outcome, observed = '' }) =>
        `\`${id}\` ${outcome === 'falsified' ? '' : `${outcome}, `}${observed}`,
    );
  const more = failing.length > shownParts ? `; … ${failing.length} in all` : '';
  return [`- **${claim}**: ${words.join('; ')}${more}`];
}
