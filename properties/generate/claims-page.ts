/** docs/claims.md: the catalogue of claims, from the claims themselves. */
import { type ClaimStatement, findings, tiers } from '../claims/claim.ts';
import { claimFile, isDecisionClaim } from '../matrix/catalogue.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

const cellText = { holds: 'holds', falsified: 'falsified', 'no-input': '–' } as const;

export function claimsPage(claims: readonly ClaimStatement[], mutants: readonly Mutant[]): string {
  const parts = [
    '# Claims',
    generatedNotice,
    'Each claim is a file: `F1.embedded` is `properties/claims/F1/embedded.ts`. The reference holds every one; the cells say ' +
      'what `vulnerable` and `published` do, and the last column how many mutants of the reference the claim kills. ' +
      '`–` means that the subject has no such input, an empty cell that the claim is not judged at that tier. Run one with `pnpm verify --claim F1.embedded`, see it with ' +
      '`pnpm repro F1.embedded`.',
  ];
  for (const finding of findings) {
    const mine = claims.filter(({ id }) => id.startsWith(`${finding}.`));
    if (mine.length === 0) continue;
    parts.push(`## ${finding}`, summaryTable(mine, mutants), ...mine.map((claim) => section(claim, mutants)));
  }
  return `${parts.join('\n\n')}\n`;
}

function summaryTable(claims: readonly ClaimStatement[], mutants: readonly Mutant[]): string {
  const present = tiers.filter((tier) => claims.some(({ expected }) => expected[tier] !== undefined));
  const rows = claims.map((claim) => [
    `[${claim.id}](../${claimFile(claim.id)})`,
    claim.statement,
    ...present.flatMap((tier) => {
      const cells = claim.expected[tier];
      return cells === undefined ? ['', ''] : [cellText[cells.vulnerable], cellText[cells.published]];
    }),
    String(mutants.filter(({ killedBy }) => killedBy === claim.id).length),
  ]);
  const heads = present.flatMap((tier) =>
    tier === 'decision' ? ['vulnerable', 'published'] : [`vulnerable, ${tier}`, `published, ${tier}`],
  );
  return markdownTable(['claim', 'statement', ...heads, 'mutants'], rows);
}

function section(claim: ClaimStatement, mutants: readonly Mutant[]): string {
  const killed = mutants.filter(({ killedBy }) => killedBy === claim.id);
  const declared = tiers.filter((tier) => claim.expected[tier] !== undefined);
  return [
    `### ${claim.id}`,
    `Source: ${claim.source}. ${decisionsOf(claim)}Tiers: ${declared.join(', ')}.`,
    ...(claim.blindSpot === undefined ? [] : [`Blind spot: ${claim.blindSpot}`]),
    ...(killed.length === 0
      ? []
      : [killed.map(({ id, mistake }) => `- \`mutant:${id}\`: ${mistake}`).join('\n')]),
  ].join('\n\n');
}

function decisionsOf(claim: ClaimStatement): string {
  if (!isDecisionClaim(claim)) return '';
  return `Decisions: ${claim.decisions.map((name) => `\`${name}\``).join(', ')}. `;
}
