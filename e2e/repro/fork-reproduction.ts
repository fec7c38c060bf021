/**
 * F6 on real VMs: what two forks of one snapshot drew, side by side, for the three subjects; the replay.
 * Invariant: every octet shown was drawn in a guest of this run; guests are booted once for all claims of a run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import type { ClaimId, ClaimStatement } from '#properties/claims/claim.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { forkAttackNamed, forkShowpieces } from '../fork-tier/catalogue.ts';
import type { Exhibit } from '../fork-tier/fork-attack.ts';
import { ForkProcesses } from '../fork-tier/fork-processes.ts';
import { exhibitsFile, planForks } from '../fork-tier/fork-record.ts';
import { percent } from '../fork-tier/shares.ts';
import type { Style } from '../report/terminal.ts';

export interface ForkTelling {
  readonly record: CellRecord;
  readonly exhibits: readonly Exhibit[];
}

export interface ForkReproduction {
  readonly claim: ClaimStatement;
  readonly attack: { readonly id: string; readonly statement: string; readonly source: string };
  readonly control: string;
  /** One for each subject that has such an input, and for the mutant where no subject falls. */
  readonly tellings: readonly ForkTelling[];
  readonly seed: number;
}

export const reproducedByForks: readonly ClaimId[] = [...forkShowpieces.keys()];

const root = fileURLToPath(new URL('../../', import.meta.url));
const attackDeadlineMs = 600_000;

export class ForkReproducer {
  #processes: ForkProcesses | null = null;
  readonly #say: (line: string) => void;

  /** @param say each attack takes its time: which one begins */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  async reproduce(claim: ClaimStatement, seed: number, signal: AbortSignal): Promise<ForkReproduction> {
    const { accelerator } = await probeAccelerator();
    this.#processes ??= new ForkProcesses(accelerator, attackDeadlineMs);
    const tellings: ForkTelling[] = [];
    for (const job of planForks([claim], builtInSubjects, seed)) {
      this.#say(`${claim.id}: ${job.attack} on ${job.subject}, in guests under ${accelerator}`);
      const record = await this.#processes.run(job, signal);
      tellings.push({ record, exhibits: exhibitsOf(record) });
    }
    const { id, statement, source, control } = forkAttackNamed(forkShowpieces.get(claim.id) ?? '');
    return { claim, attack: { id, statement, source }, control, tellings, seed };
  }

  async end(): Promise<void> {
    await this.#processes?.end();
    this.#processes = null;
  }
}

function exhibitsOf({ evidence }: CellRecord): Exhibit[] {
  const file = `${root}${evidence?.folder}/${exhibitsFile}`;
  if (evidence?.folder === undefined || !existsSync(file)) return [];
  return JSON.parse(readFileSync(file, 'utf8')) as Exhibit[];
}

type Paint = (style: Style, text: string) => string;

const styles: Readonly<Record<string, Style>> = { holds: 'green', falsified: 'yellow' };
const shownForks = 2;
const shownOctets = 36;
const shownSteps = 6;
const indent = ' '.repeat(14);

export function forkReproductionBlock(
  { claim, attack, control, tellings, seed }: ForkReproduction,
  paint: Paint,
): string {
  const line = (name: string, text: string) => `  ${name.padEnd(11)} ${text}`;
  const where = tellings[0]?.record.evidence?.steps?.[0] ?? 'no guest ran';
  return [
    paint('bold', `${claim.id}  ${claim.statement}`),
    line('tier', `vm: ${where}`),
    line('attack', `${attack.id}: ${attack.statement}`),
    line('source', attack.source),
    ...tellings.flatMap((telling) => [
      line(telling.record.subject, outcomeOf(telling.record, paint)),
      ...linesOf(telling, paint).map((text) => `${indent}${text}`),
      ...(telling.record.evidence?.folder === undefined
        ? []
        : [`${indent}evidence: ${telling.record.evidence.folder}`]),
    ]),
    line('control', control),
    line('replay', paint('cyan', `pnpm repro ${claim.id} --seed ${seed}`)),
  ].join('\n');
}

function outcomeOf({ outcome, asExpected, expected, reason, evidence }: CellRecord, paint: Paint): string {
  const mark = asExpected ? '' : paint('red', ` (EXPECTED ${expected})`);
  return `${paint(styles[outcome] ?? 'red', outcome.padEnd(10))}${mark} ${reason ?? evidence?.observed ?? ''}`;
}

/** Octets side by side where siblings drew; else what was seen. */
function linesOf({ record, exhibits }: ForkTelling, paint: Paint): string[] {
  if (exhibits.length === 0) return (record.evidence?.steps ?? []).slice(1, 1 + shownSteps);
  const widest = Math.max(...exhibits.map(({ reader }) => reader.length));
  return exhibits.map(({ reader, drawn, share }) => {
    const forks = drawn
      .slice(0, shownForks)
      .map((text, index) => `fork ${index} ${text.slice(0, shownOctets).padEnd(shownOctets)}`);
    const verdict =
      share > 0 ? paint('yellow', `identical: ${percent(share)}`) : paint('green', 'all differ');
    return `${reader.padEnd(widest)}  ${forks.join('  ')}  ${verdict}`;
  });
}
