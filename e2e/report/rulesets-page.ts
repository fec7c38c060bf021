/** docs/rulesets.md: what `pnpm check nft` says of rulesets that nobody here wrote, from the committed captures. */
import { generatedNotice, markdownTable } from '#properties/generate/markdown.ts';
import type { Product } from '#properties/generate/product.ts';
import { type Checked, type ClaimAnswer, checkClaims } from '../blackbox/nft/claims-of-ruleset.ts';
import { capturePath, committedTools } from '../blackbox/nft/committed-captures.ts';
import { packetWords, pathWords } from '../blackbox/nft/packet-words.ts';
import { claimIds } from '../blackbox/nft/part.ts';
import { referenceSubject } from '../blackbox/nft/reference-ruleset.ts';
import { captureOf } from '../blackbox/nft/source.ts';
import { readSubject } from '../blackbox/nft/subject.ts';

interface Judged extends Checked {
  readonly name: string;
  readonly version: string;
  readonly made: string;
  readonly place: string;
}

async function judgeCaptured(tool: string): Promise<Judged> {
  const path = capturePath(tool);
  const { version, made, place } = captureOf(path);
  const checked = checkClaims(await readSubject({ ruleset: path }));
  return { ...checked, name: tool, version, made, place: `${place.guest} on ${place.tap}` };
}

export async function rulesetsPage(): Promise<Product> {
  const judged: Judged[] = [];
  for (const tool of committedTools()) judged.push(await judgeCaptured(tool));
  const reference = checkClaims(referenceSubject());
  const rows = [
    ...judged.map(({ name, claims }) => [name, ...claims.map(cell)]),
    ['the reference', ...reference.claims.map(cell)],
  ];
  const text = `# Rulesets that nobody here wrote

${generatedNotice}

Each tool was run as Debian packages it, in namespaces of its own, and its ruleset read over nfnetlink
(\`pnpm lab rulesets\`). \`pnpm check nft\` then asks what finding F4 asks of a hostile guest that sits where the tool
puts its guests: for every packet at once, a proof or one packet that breaks the claim. None of these tools promises
what F4 asks; the table says what a guest would find, not that a tool is broken. Of destinations only the deny lists
count: every run has \`--allow any\`. \`--inbound\` names what the tool was told to publish.

${markdownTable(['ruleset', ...claimIds], rows)}

- **F4.input**: the guest reaches no listener of this host but the resolver's port 53
- **F4.source**: no forged source, MAC, VLAN tag, family or ARP has an effect
- **F4.leave**: nothing leaves to a cloud's metadata, a private range, by another device, or with the guest's source
- **F4.established**: what passes as part of a flow belongs to a flow of the guest's
- **F4.inbound**: nothing reaches the guest but replies and what is published
- **F4.pod**: traffic between the uplink and this host is not dropped

${judged.map(section).join('\n')}
`;
  return { path: 'docs/rulesets.md', text };
}

function cell({ outcome, parts }: ClaimAnswer): string {
  if (outcome === 'holds') return 'holds';
  const count = parts.filter((part) => part.outcome === outcome).length;
  return `${outcome} (${count} of ${parts.length})`;
}

function section({ name, version, made, place, claims }: Judged): string {
  const undecided = claims.flatMap(({ claim, parts }) =>
    parts.flatMap((part) =>
      part.outcome === 'unsupported' ? [`- ${claim} ${part.name}: unsupported, ${part.reason}`] : [],
    ),
  );
  const shown = claims.flatMap(example);
  const lack = undecided.length === 0 ? 'Every part was decided.' : `Not decided:\n\n${undecided.join('\n')}`;
  return `## ${name}

${version}: ${made}. The guest is ${place}. \`pnpm check nft --ruleset properties/vectors/rulesets/${name}.json\`

${lack}

${shown.join('\n')}
`;
}

/** The first counterexample of a claim, and the rule that let it pass. */
function example({ claim, parts }: ClaimAnswer): string[] {
  for (const part of parts) {
    if (part.outcome !== 'falsified') continue;
    const path = pathWords(part.packet.path);
    const way = path.length === 0 ? ['no chain looks at it'] : path;
    return [`- **${claim}**, ${part.name}: ${packetWords(part.packet)}`, ...way.map((line) => `  - ${line}`)];
  }
  return [];
}
