/**
 * What a run of a tier above decision says: a line for each failure with its replay, a table by subject, and the
 * records of all cells in the schema that every tier shares.
 * Invariant: a skip is counted as skipped, with its reason, never as passed.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import { readEnvironment } from '#properties/matrix/environment.ts';
import type { CellRecord, Report, TierRun } from '#properties/matrix/record.ts';
import { exitCodes } from '../cli/exit-codes.ts';
import { recordAttachment, unsupportedPrefix } from './attachment.ts';
import { table } from './terminal.ts';
import { writeReport } from './write-report.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** From the configuration of Playwright Test. */
export interface TierReporterOptions {
  readonly tier: TierRun['tier'];
  /** From the repository's root. */
  readonly folder: string;
  /** Where it ran, in words. */
  readonly on: string;
  readonly progressEvery: number;
  /** What emulated the machines, if any. */
  readonly vmm?: string;
}

export default class TierReporter implements Reporter {
  readonly #options: TierReporterOptions;
  readonly #records: CellRecord[] = [];
  readonly #skips = new Map<string, number>();
  #passed = 0;
  #failed = 0;

  constructor(options: TierReporterOptions) {
    this.#options = options;
  }

  printsToStdio(): boolean {
    return true;
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    const attached = result.attachments.find(({ name }) => name === recordAttachment)?.body;
    if (attached !== undefined) this.#records.push(JSON.parse(attached.toString()) as CellRecord);
    if (result.status === 'skipped') {
      const reason =
        result.annotations.find(({ type }) => type === 'skip')?.description ?? 'without a reason';
      this.#skips.set(reason, (this.#skips.get(reason) ?? 0) + 1);
      return;
    }
    if (result.status === 'passed') this.#passed += 1;
    else {
      this.#failed += 1;
      const said = result.errors.map(({ message = '' }) => message).join('\n');
      process.stdout.write(`\nFAILED ${test.title}\n${said}\n`);
    }
    const done = this.#passed + this.#failed;
    if (done % this.#options.progressEvery === 0)
      process.stderr.write(`${done} done, ${this.#failed} failed\n`);
  }

  onError({ message = '' }: { message?: string }): void {
    process.stdout.write(`${message}\n`);
  }

  onEnd({ duration, status }: FullResult): void {
    const { tier, folder, on, vmm } = this.#options;
    const skipped = [...this.#skips.values()].reduce((sum, count) => sum + count, 0);
    const reasons = [...this.#skips.keys()];
    const report = reportOf(this.#records, {
      tier,
      vmm,
      skipped,
      seconds: duration / 1_000,
      status,
      reasons,
    });
    mkdirSync(`${root}${folder}`, { recursive: true });
    writeReport(`${root}${folder}/report.json`, `${JSON.stringify(report, null, 2)}\n`);
    process.stdout.write(`\n${tableOf(this.#records)}\n\n`);
    for (const [reason, count] of this.#skips) process.stdout.write(`${count} skipped: ${reason}\n`);
    const seconds = Math.round(duration / 1_000);
    process.stdout.write(
      `${this.#passed} passed, ${this.#failed} failed, ${skipped} skipped on ${on} in ${seconds} s; records and evidence in ${folder}\n`,
    );
  }

  /** Nothing ran because this machine lacks the tier: an exit code of its own, as for every incomplete run. */
  async onExit(): Promise<void> {
    const ran = this.#passed + this.#failed;
    const unsupported = [...this.#skips.keys()].some((reason) => reason.startsWith(unsupportedPrefix));
    if (ran === 0 && unsupported) process.exit(exitCodes.incomplete);
  }
}

interface Run {
  readonly tier: TierRun['tier'];
  readonly vmm: string | undefined;
  readonly skipped: number;
  readonly seconds: number;
  readonly status: string;
  /** Why tests were skipped. */
  readonly reasons: readonly string[];
}

function reportOf(records: readonly CellRecord[], run: Run): Report {
  const { tier, vmm, skipped, seconds, status, reasons } = run;
  const claims = new Set(records.map(({ claim }) => claim));
  const falsified = new Set(
    records.filter(({ outcome }) => outcome === 'falsified').map(({ claim }) => claim),
  );
  const asExpected = records.filter((record) => record.asExpected).length;
  const judged = (chosen: readonly CellRecord[]) =>
    chosen.reduce((sum, { judgedCases }) => sum + judgedCases, 0);
  return {
    v: 1,
    environment: { ...readEnvironment(), ...(vmm === undefined ? {} : { vmm }) },
    seed: records[0]?.seed ?? 0,
    tiers: [
      {
        tier,
        ran: records.length > 0,
        cells: records.length,
        seconds: Math.round(seconds * 10) / 10,
        ...(records.length > 0 ? {} : { reason: reasons.join('; ') }),
      },
    ],
    summary: {
      passed: status === 'passed' && skipped === 0,
      judgedCases: judged(records.filter(({ subject }) => subject === 'reference')),
      judgedCasesAll: judged(records),
      claims: claims.size,
      cells: records.length,
      asExpected,
      unexpected: records.length - asExpected,
      skipped,
      mutants: 0,
      mutantsKilled: 0,
      failures: status === 'passed' || status === 'failed' ? [] : [`the run ended as ${status}`],
      vacuous: [...claims].filter((claim) => !falsified.has(claim)),
      complete: status === 'passed' || status === 'failed',
      seconds: Math.round(seconds * 10) / 10,
    },
    records: [...records],
  };
}

/** Claims by subject: how many attacks succeeded of how many. */
function tableOf(records: readonly CellRecord[]): string {
  // Each mutant stands for a mistake of its own: one column for all of them.
  const columnOf = (subject: string) => (subject.startsWith('mutant:') ? 'mutants' : subject);
  const subjects = [...new Set(records.map(({ subject }) => columnOf(subject)))].sort();
  const claims = [...new Set(records.map(({ claim }) => claim))].sort();
  const cell = (claim: string, subject: string) => {
    const own = records.filter((record) => record.claim === claim && columnOf(record.subject) === subject);
    if (own.length === 0) return '–';
    const worked = own.filter(({ outcome }) => outcome === 'falsified').length;
    const broken = own.filter(({ outcome }) => outcome !== 'falsified' && outcome !== 'holds').length;
    return `${worked} of ${own.length}${broken === 0 ? '' : `, ${broken} not judged`}`;
  };
  const rows = claims.map((claim) => [claim, ...subjects.map((subject) => cell(claim, subject))]);
  return table([['attacks that worked', ...subjects], ...rows], (text) => text);
}
