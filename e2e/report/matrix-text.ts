/** The matrix as text: one block per counterexample, the table, what is unexpected, and the summary line. */
import type { Claim } from '#properties/claims/claim.ts';
import type { CellRecord, Report } from '#properties/matrix/record.ts';
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
  const title = `${paint('bold', `${record.claim} × ${record.subject}`)}  ${paint(outcomeStyle[record.outcome], record.outcome)} ${mark}`;
  const lines = [title];
  const { evidence } = record;
  if (evidence !== undefined) {
    lines.push(field('case', evidence.case));
    for (const step of evidence.steps ?? []) lines.push(`              ${step}`);
    lines.push(field('observed', withRule(evidence.observed, evidence.observedRule)));
    lines.push(field('required', withRule(evidence.required, evidence.requiredRule)));
    if (!evidence.replayed) lines.push(field('defect', 'the replay did not find this counterexample again'));
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
  const rows: string[][] = [['claim', 'vulnerable', 'published', 'reference', 'mutants killed']];
  for (const claim of claims) {
    const mine = records.filter((record) => record.claim === claim.id);
    if (mine.length === 0) continue;
    const mutants = mine.filter(({ subject }) => subject.startsWith('mutant:'));
    const killed = mutants.filter(({ outcome }) => outcome === 'falsified').length;
    rows.push([
      claim.id,
      ...(['vulnerable', 'published', 'reference'] as const).map((subject) => cellText(claim, subject, mine)),
      mutants.length === 0 ? '' : `${killed}/${mutants.length}${killed === mutants.length ? '' : ' !'}`,
    ]);
  }
  return table(rows, (text, row) => {
    if (row === 0) return paint('bold', text);
    if (text.includes('!')) return paint('red', text);
    if (text.startsWith('falsified')) return paint('yellow', text);
    return text.startsWith('holds') ? paint('green', text) : text;
  });
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
  const verdict = summary.passed ? paint('green', 'As declared') : paint('red', 'NOT as declared');
  const lines = [
    `${verdict}: ${summary.asExpected} of ${summary.cells} cells, ${counted(summary.claims, 'claim')}, ` +
      `${groupDigits(summary.judgedCases)} cases judged on the reference ` +
      `(${groupDigits(summary.judgedCasesAll)} in all), ` +
      `${summary.mutants === 0 ? '' : `${summary.mutantsKilled}/${summary.mutants} mutants killed, `}` +
      `${summary.seconds} s, seed ${report.seed}.`,
  ];
  if (!summary.complete)
    lines.push(`Not complete: ${summary.skipped} cells were not run to their end; they count as skipped.`);
  for (const claim of summary.vacuous) {
    lines.push(paint('red', `Vacuous: nothing falsifies ${claim}. Add a subject or a mutant that it kills.`));
  }
  return lines.join('\n');
}
