/** Claims about somebody else's system, part by part, as text for people: the table, what failed, what was skipped. */
import { type ClaimAnswer, failures, type Outcome, type PartAnswer, skips } from '../blackbox/finding.ts';
import { counted, type Style, table } from './terminal.ts';

export type Paint = (style: Style, text: string) => string;

const outcomes: readonly Outcome[] = [
  'holds',
  'falsified',
  'hung',
  'crashed',
  'garbage',
  'flood',
  'unsupported',
  'not-run',
];
const shownOfClaim = 3;
const shownHex = 160;

const styleOf = (outcome: Outcome): Style =>
  outcome === 'holds' ? 'green' : failures.has(outcome) ? 'red' : 'yellow';

/** @param sentences of each claim, as the end of one that begins with "never" */
export function claimTable<Claim extends string>(
  claims: readonly ClaimAnswer<Claim>[],
  sentences: Readonly<Record<Claim, string>>,
  paint: Paint,
): string {
  const rows = claims.map(({ claim, outcome, parts }) => [claim, outcome, tally(parts), sentences[claim]]);
  return table([['claim', 'outcome', 'parts', 'never'], ...rows], (cell, row, column) => {
    if (row === 0) return paint('bold', cell);
    return column === 1 ? paint(styleOf(cell.trim() as Outcome), cell) : cell;
  });
}

function tally(parts: readonly PartAnswer[]): string {
  const held = parts.filter(({ outcome }) => outcome === 'holds').length;
  const skipped = parts.filter(({ outcome }) => skips.has(outcome)).length;
  const asked = parts.length - skipped;
  const left = skipped === 0 ? '' : `, ${skipped} not asked`;
  return asked === 0 ? 'none asked' : `${held} of ${asked} hold${left}`;
}

/** `3 holds, 1 falsified`. */
export function summaryOf(claims: readonly ClaimAnswer[]): string {
  return outcomes
    .map((outcome) => [outcome, claims.filter((one) => one.outcome === outcome).length] as const)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ');
}

/** What failed with its evidence and replay, then what was skipped with what to give. */
export function claimDetails<Claim extends string>(
  { claim, parts }: ClaimAnswer<Claim>,
  replayOf: (part: PartAnswer<Claim>) => string,
  paint: Paint,
): string[] {
  const failing = parts.filter(({ outcome }) => failures.has(outcome));
  const lines = failing
    .slice(0, shownOfClaim)
    .flatMap((part) => [
      `${paint('bold', `${claim} ${part.id}`)}: ${paint('red', part.outcome)}`,
      `  sent      ${part.sends}`,
      `  never     ${part.never}`,
      `  clause    ${part.clause}`,
      `  observed  ${part.observed}`,
      ...(part.hex === undefined ? [] : [`  hex       ${shortened(part.hex)}`]),
      `  replay    ${replayOf(part)}`,
      '',
    ]);
  const more = failing.length - shownOfClaim;
  if (more > 0) lines.push(`… and ${counted(more, 'more part')} of ${claim}; all with --json.`, '');
  const skipped = Map.groupBy(
    parts.filter(({ outcome }) => skips.has(outcome)),
    ({ outcome, observed, give = '' }) => `${outcome}, ${observed}${give === '' ? '' : `\n  give ${give}`}`,
  );
  for (const [words, own] of skipped) {
    const what = own.length === 1 ? `${claim} ${own[0]?.id}` : `${claim}, ${counted(own.length, 'part')}`;
    lines.push(`${paint('bold', what)}: ${words}`, '');
  }
  return lines;
}

export const shortened = (hex: string) =>
  hex.length <= shownHex ? hex : `${hex.slice(0, shownHex)}… (whole with --json)`;
