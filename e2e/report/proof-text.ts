/** Proofs as text: what was proved, within which bounds, on which assumptions, and what was counted. */
import type { Counts } from '#properties/proofs/proof.ts';
import type { ProofReport } from '#properties/proofs/run/run-proofs.ts';
import { groupDigits, type painter } from './terminal.ts';

type Paint = ReturnType<typeof painter>;

const textWidth = 100;
const labelWidth = 10;

/** `63 policies, 78,164 runs of the decision`. */
export function countsText(counts: Counts): string {
  const parts = Object.entries(counts).map(([name, count]) => `${groupDigits(count)} ${name}`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

/** A proof, or one of its mutants. */
export function proofBlock(report: ProofReport, paint: Paint): string {
  const { proof, mutant, result, seconds } = report;
  const wanted = asWanted(report);
  const name = mutant === null ? proof.name : `${proof.name} × mutant:${mutant.id}`;
  const note = mutant !== null && wanted ? ' (as it must be)' : '';
  const head = `${paint('bold', name)}  ${paint(wanted ? 'green' : 'red', result.outcome)}${note} in ${seconds.toFixed(1)} s`;
  const lines = [head, ...(mutant === null ? [] : labelled('mistake', mutant.mistake))];
  if (mutant === null) {
    lines.push(
      ...labelled('statement', proof.statement),
      ...proof.bounds.flatMap((bound) => labelled('within', bound)),
      ...proof.assumptions.flatMap((assumption) => labelled('assuming', assumption)),
    );
  }
  if (mutant === null || !wanted) lines.push(...labelled('counted', countsText(result.counts)));
  if (result.outcome === 'refuted') lines.push(...result.trace.map((line) => `  ${line}`));
  if (result.outcome === 'crashed' || result.outcome === 'not-run') {
    lines.push(...result.reason.split('\n').map((line) => `  ${line}`));
  }
  return lines.join('\n');
}

/** The reference is proved, a mutant of it is refuted. */
export function asWanted({ mutant, result }: ProofReport): boolean {
  return result.outcome === (mutant === null ? 'proved' : 'refuted');
}

export function proofSummary(reports: readonly ProofReport[], seconds: number): string {
  const proofs = reports.filter(({ mutant }) => mutant === null);
  const mutants = reports.filter(({ mutant }) => mutant !== null);
  const wanted = (some: readonly ProofReport[]) => some.filter(asWanted).length;
  const parts = [`Proved: ${wanted(proofs)} of ${proofs.length}`];
  if (mutants.length > 0) parts.push(`mutants refuted: ${wanted(mutants)} of ${mutants.length}`);
  return `${parts.join(', ')}, ${seconds.toFixed(1)} s.`;
}

/** A label and its text, broken between words. */
function labelled(label: string, text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= textWidth) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((part, index) => `  ${(index === 0 ? label : '').padEnd(labelWidth)} ${part}`);
}
