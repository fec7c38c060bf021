/** The matrix as text: one block per counterexample, the table, what is unexpected, and the summary line. */
import type { Claim } from '#properties/claims/claim.ts';
import type { CellRecord, Report, TierRun } from '#properties/matrix/record.ts';
import { counted, groupDigits, type Style, table } from './terminal.ts';

type Paint = (style: Style, text: string) => string;

const outcomeStyle: Record<CellRecord['outcome'], Style> = {
  holds: 'green',
  falsified: 'yellow',
  hung: 'red',
  crashed: 'red',
  garbage: 'red',
  unsupported: 'dim',
  'not-run': 'dim',
};

/** A counterexample, or why a cell has none: the case, both verdicts with their rules, the replay command. */
export function cellBlock(record: CellRecord, paint: Paint): string {
  const mark = record.asExpected
    ? paint('dim', '(as expected)')
    : paint('red', `(EXPECTED ${record.expected})`);
  const tier = record.tier === 'decision' ? '' : `, tier ${record.tier}`;
  const title = `${paint('bold', `${record.claim} × ${record.subject}${tier}`)}  ${paint(outcomeStyle[record.outcome], record.outcome)} ${mark}`;
  const lines = [title];
  const { evidence } = record;
  if (evidence !== undefined) {
    lines.push(field('case', evidence.case));
    // Of other tiers they are in the folder, whole.
    const steps = evidence.folder === undefined ? (evidence.steps ?? []) : [];
    for (const step of steps) lines.push(`              ${step}`);
    lines.push(field('observed', withRule(evidence.observed, evidence.observedRule)));
    lines.push(field('required', withRule(evidence.required, evidence.requiredRule)));
    if (evidence.folder !== undefined) lines.push(field('evidence', evidence.folder));
    if (!evidence.replayed && record.tier === 'decision')
      lines.push(field('defect', 'the replay did not find this counterexample again'));
  }
  if (record.reason !== undefined) lines.push(field('reason', record.reason));
  lines.push(field('replay', paint('cyan', record.replay)));
  return lines.join('\n');
}

function withRule(verdict: string, rule: string | undefined): string {
  return rule === undefined ? verdict : `${verdict}  [${rule}]`;
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(10)}${text.split('\n').join(`\n${' '.repeat(12)}`)}`;
}

/** Claims down, subjects across. A cell that differs from its declaration carries `!`. */
export function matrixTable(claims: readonly Claim[], records: readonly CellRecord[], paint: Paint): string {
  if (claims.length === 0) return '';
  const rows: string[][] = [['claim', 'vulnerable', 'published', 'reference', 'mutants killed']];
  for (const claim of claims) {
    const mine = records.filter(({ claim: id, tier }) => id === claim.id && tier === 'decision');
    if (mine.length === 0) continue;
    const mutants = mine.filter(({ subject }) => subject.startsWith('mutant:'));
    const killed = mutants.filter(({ outcome }) => outcome === 'falsified').length;
    rows.push([
      claim.id,
      ...(['vulnerable', 'published', 'reference'] as const).map((subject) => cellText(claim, subject, mine)),
      mutants.length === 0 ? '' : `${killed}/${mutants.length}${killed === mutants.length ? '' : ' !'}`,
    ]);
  }
  return table(rows, coloured(paint));
}

function coloured(paint: Paint) {
  return (text: string, row: number) => {
    if (row === 0) return paint('bold', text);
    if (text.includes('!')) return paint('red', text);
    if (text.startsWith('falsified')) return paint('yellow', text);
    return text.startsWith('holds') ? paint('green', text) : text;
  };
}

/** Attacks of a tier: the one that stands for its claim, or how many of all falsify it. Empty without any. */
export function attackTable(at: 'kernel' | 'vm', all: readonly CellRecord[], paint: Paint): string {
  const records = all.filter(({ tier }) => tier === at);
  if (records.length === 0) return '';
  const subjects = [...new Set(records.map(columnOf))];
  const rows = [...new Set(records.map(({ claim }) => claim))].map((claim) => {
    const mine = records.filter((record) => record.claim === claim);
    const attacks = new Set(mine.map(({ attack }) => attack));
    const about = attacks.size === 1 ? ([...attacks][0] ?? '') : counted(attacks.size, 'attack');
    return [claim, ...subjects.map((subject) => attackCell(mine, subject)), about];
  });
  return table([[`at tier ${at}`, ...subjects, 'attack'], ...rows], coloured(paint));
}

/** Each mutant is a mistake of its own: one column for all of them. */
const columnOf = ({ subject }: CellRecord) => (subject.startsWith('mutant:') ? 'a mutant' : subject);

const skips: readonly CellRecord['outcome'][] = ['unsupported', 'not-run'];

function attackCell(records: readonly CellRecord[], subject: string): string {
  const mine = records.filter((record) => columnOf(record) === subject);
  const wrong = mine.some((record) => !record.asExpected && !skips.includes(record.outcome)) ? ' !' : '';
  if (mine.length === 1) return `${mine[0]?.outcome}${wrong}`;
  const count = mine.filter(({ outcome }) => outcome === 'falsified').length;
  if (mine.length === 0) return '–';
  return count === 0 ? `holds ${mine.length}${wrong}` : `falsified ${count}/${mine.length}${wrong}`;
}

function cellText(
  claim: Claim,
  subject: 'vulnerable' | 'published' | 'reference',
  mine: readonly CellRecord[],
): string {
  if (claim.expected.decision[subject] === 'no-input') return '–';
  const record = mine.find((candidate) => candidate.subject === subject);
  if (record === undefined) return '';
  const cases = record.outcome === 'holds' ? ` ${groupDigits(record.judgedCases)}` : '';
  return `${record.outcome}${cases}${record.asExpected ? '' : ' !'}`;
}

/** Last lines: what it amounts to, and what to do when it is not what was declared. */
export function summaryText(report: Report, paint: Paint): string {
  const { summary } = report;
  const judged = summary.cells - summary.skipped;
  const verdict = verdictOf(report, judged, paint);
  const lines = [
    `${verdict}: ${summary.asExpected} of ${judged} cells, ${counted(summary.claims, 'claim')}, ` +
      `${groupDigits(summary.judgedCases)} cases judged on the reference ` +
      `(${groupDigits(summary.judgedCasesAll)} in all), ` +
      `${summary.mutants === 0 ? '' : `${summary.mutantsKilled}/${summary.mutants} mutants killed, `}` +
      `${summary.seconds} s, seed ${report.seed}.`,
  ];
  if (!summary.complete)
    lines.push(`Not complete: ${summary.skipped} cells were not run to their end; they count as skipped.`);
  lines.push(...tierLines(report.tiers));
  for (const failure of summary.failures) lines.push(paint('red', `Failed: ${failure}.`));
  for (const claim of summary.vacuous) {
    lines.push(paint('red', `Vacuous: nothing falsifies ${claim}. Add a subject or a mutant that it kills.`));
  }
  return lines.join('\n');
}

function verdictOf({ summary }: Report, judged: number, paint: Paint): string {
  if (summary.passed) return paint('green', 'As declared');
  if (judged === 0) return paint('red', 'Nothing was judged');
  const differs = summary.unexpected + summary.vacuous.length + summary.failures.length > 0;
  return differs ? paint('red', 'NOT as declared') : paint('yellow', 'As declared so far');
}

/** Which tiers ran, and which did not: why, and what to type. */
function tierLines(tiers: readonly TierRun[]): string[] {
  const ran = tiers
    .filter((tier) => tier.ran)
    .map(({ tier, cells, seconds }) => `${tier} (${cells} cells, ${seconds} s)`);
  const reasons = Map.groupBy(
    tiers.filter((tier) => !tier.ran),
    ({ reason = '', remedy = '' }) => (remedy === '' ? reason : `${reason}. Remedy: ${remedy}`),
  );
  return [
    `Tiers that ran: ${ran.join(', ') || 'none'}.`,
    ...[...reasons].map(
      ([reason, these]) =>
        `Did not run: ${these.map(({ tier, cells }) => (cells === 0 ? tier : `${tier} (${counted(cells, 'cell')} skipped)`)).join(', ')}: ${reason}.`,
    ),
  ];
}
