/** Options and run of the verbs that run the claim matrix: `verify` and `test:properties`. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Report } from '#properties/matrix/record.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { attackTable, matrixTable, summaryText } from '../report/matrix-text.ts';
import { painter } from '../report/terminal.ts';
import { writeReport } from '../report/write-report.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { matrixProgress } from './matrix-progress.ts';
import { collect, parseInteger, parsePath, parseSeed, parseShard, parseTier } from './parse-values.ts';
import { runTiers, selectTiers } from './run-tiers.ts';

export interface MatrixFlags {
  readonly claim: string[];
  readonly subject: string[];
  readonly tier?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly path?: string;
  readonly shard?: string;
  readonly timeLimit?: string;
  readonly caseTimeout?: string;
  /** true: to stdout; a string: to that file. */
  readonly json?: string | true;
}

export function addMatrixOptions(command: Command, verb: string): Command {
  if (verb === 'verify') {
    command.option(
      '--tier <name>',
      'decision, kernel, vm, or all: every attack (default: decision, and one attack per claim of kernel where it is ready)',
    );
  }
  return command
    .option('--claim <id>', 'a claim or a finding: F1.embedded, F1; repeatable', collect, [])
    .option(
      '--subject <name>',
      'vulnerable, published, reference, mutants, mutant:<id>; repeatable',
      collect,
      [],
    )
    .option('--runs <n>', 'generated cases per claim (default: over a million on the reference in all)')
    .option('--seed <n>', '32-bit integer (default: a fresh one, printed)')
    .option('--path <path>', 'judge one counterexample again: the path of a replay line')
    .option('--shard <i/n>', 'every n-th claim, starting at the i-th')
    .option('--time-limit <seconds>', 'stop then; what is left counts as skipped')
    .option(
      '--case-timeout <ms>',
      'longest time for one case before its subject is called hung (default 20000)',
    )
    .option('--json [file]', 'the report as JSON (docs/schemas/report.schema.json), to a file or to stdout')
    .addHelpText(
      'after',
      `
Examples:
  pnpm ${verb}
  pnpm ${verb} --claim F1 --subject published
  pnpm ${verb} --claim F1.embedded --runs 1000000 --seed 7
  pnpm ${verb} --shard 1/4 --json reports/shard-1.json
${verb === 'verify' ? '  pnpm verify --tier kernel --claim F4\n' : ''}${exitCodesHelp}`,
    );
}

/** Runs the matrix, prints it, and returns the exit code. */
export async function matrixCommand(verb: string, flags: MatrixFlags): Promise<number> {
  if (typeof flags.json === 'string') refuseUnwritable(flags.json);
  const toStdout = flags.json === true;
  // With JSON on stdout the table goes to stderr, so that a pipe gets JSON alone.
  const out = toStdout ? process.stderr : process.stdout;
  const paint = painter(out);
  const say = (text: string) => out.write(`${text}\n`);
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const options = {
    claims: flags.claim,
    // The properties alone: mutants say something about the claims, and verify runs them.
    subjects: flags.subject.length === 0 && verb === 'test:properties' ? [...builtInSubjects] : flags.subject,
    seed: parseSeed(flags.seed),
    ...(flags.runs === undefined ? {} : { runs: parseInteger('--runs', flags.runs, 1, 1_000_000_000) }),
    ...(flags.path === undefined ? {} : { path: parsePath(flags.path) }),
    ...(flags.shard === undefined ? {} : { shard: parseShard(flags.shard) }),
    ...(flags.timeLimit === undefined
      ? {}
      : { timeLimitSeconds: parseInteger('--time-limit', flags.timeLimit, 1, 604_800) }),
    ...(flags.caseTimeout === undefined
      ? {}
      : { caseTimeoutMs: parseInteger('--case-timeout', flags.caseTimeout, 100, 3_600_000) }),
    signal: interrupt.signal,
    command: `pnpm ${verb}`,
  };
  if (options.path !== undefined && (flags.claim.length !== 1 || flags.subject.length !== 1)) {
    throw new CodedError(
      'bad-path',
      '--path belongs to one counterexample',
      'copy the whole replay line: --claim, --subject, --seed and --path',
    );
  }
  const tier = verb === 'verify' ? parseTier(flags.tier) : 'decision';
  const wanted = await selectTiers(tier, options);
  say(paint('dim', `Seed ${options.seed}.`));
  const progress = matrixProgress(out, say, paint);
  const report = await runTiers(wanted, options, progress);
  progress.finish();
  process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  const tables = [
    matrixTable(progress.claims(), report.records, paint),
    ...(['kernel', 'vm'] as const).map((one) => attackTable(one, report.records, paint)),
  ];
  for (const text of tables.filter((one) => one !== '')) say(`\n${text}`);
  say(`\n${summaryText(report, paint)}`);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (toStdout) process.stdout.write(json);
  if (typeof flags.json === 'string') {
    writeReport(flags.json, json);
    say(`Report: ${flags.json}`);
  }
  return exitCode(report, interrupt.signal);
}

function exitCode(report: Report, interrupted: AbortSignal): number {
  if (interrupted.aborted) return exitCodes.interrupted;
  if (report.summary.passed) return exitCodes.asDeclared;
  const { unexpected, vacuous, failures } = report.summary;
  const differs = unexpected > 0 || vacuous.length > 0 || failures.length > 0;
  return differs ? exitCodes.differs : exitCodes.incomplete;
}

/** Found out before a minute of work, not after it. */
function refuseUnwritable(path: string): void {
  const folder = dirname(path);
  if (
    existsSync(folder) &&
    statSync(folder).isDirectory() &&
    !(existsSync(path) && statSync(path).isDirectory())
  ) {
    return;
  }
  throw new CodedError(
    'report-not-written',
    `--json ${path}: no file can be made there`,
    `make the folder ${folder} first`,
  );
}
