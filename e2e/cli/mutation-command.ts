/** `pnpm test:mutation [part…]`: mutants of the decisions, judged by their tests and claims; survivors are listed. */
import type { Command } from 'commander';
import { type JudgedMutant, lives } from '#properties/mutation/judged-mutant.ts';
import {
  leastPercentKilled,
  type MutationProgress,
  type MutationReport,
  refuseFailed,
  runMutation,
} from '#properties/mutation/mutation.ts';
import { percentKilled, scoreOf } from '#properties/mutation/mutation-score.ts';
import { survivors } from '#properties/mutation/survivors.ts';
import { counted, groupDigits, painter, table } from '../report/terminal.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

export interface MutationFlags {
  readonly changed?: string | true;
  readonly force?: true;
  readonly timeLimit?: string;
  readonly json?: true;
}

export function addMutationOptions(command: Command): Command {
  return command
    .argument(
      '[parts...]',
      'folders and files of reference/decisions: pin-address, reseed-gate (default: all)',
    )
    .option(
      '--changed [commit]',
      'only lines that differ from the commit (default: where this branch left main)',
    )
    .option('--force', 'judge again what an earlier run judged and no change since can have altered')
    .option('--time-limit <seconds>', 'stop then; what is left is named and counts as not judged')
    .option('--json', 'every mutant and its outcome as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  pnpm test:mutation
  pnpm test:mutation reseed-gate pin-address
  pnpm test:mutation --changed --time-limit 300
${exitCodesHelp}`,
    );
}

export async function mutationCommand(parts: readonly string[], flags: MutationFlags): Promise<number> {
  const out = flags.json === true ? process.stderr : process.stdout;
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const options = {
    parts,
    force: flags.force === true,
    ...(flags.changed === undefined ? {} : { changedSince: flags.changed === true ? '' : flags.changed }),
    ...(flags.timeLimit === undefined
      ? {}
      : { timeLimitSeconds: parseInteger('--time-limit', flags.timeLimit, 1, 604_800) }),
    signal: interrupt.signal,
  };
  const report = await runMutation(options, textProgress(out));
  process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  if (!interrupt.signal.aborted) refuseFailed(report);
  out.write(`${reportText(report, painter(out))}\n`);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ v: 1, ...report }, null, 2)}\n`);
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  const found = report.comparison.unlisted.length + report.comparison.gone.length > 0;
  if (report.cut.length > 0 && !found) return exitCodes.incomplete;
  return report.passed ? exitCodes.asDeclared : exitCodes.differs;
}

const plainProgressIntervalMs = 10_000;

/** A moving line on a terminal, a line every ten seconds elsewhere. */
function textProgress(out: NodeJS.WriteStream): MutationProgress {
  let lastLineMs = performance.now();
  const moving = (text: string) => {
    if (out.isTTY === true) out.write(`\r\u001b[K${text}`);
    else if (text !== '' && performance.now() - lastLineMs > plainProgressIntervalMs) {
      lastLineMs = performance.now();
      out.write(`… ${text}\n`);
    }
  };
  return {
    planned(parts, base) {
      if (base !== undefined)
        out.write(`Lines of reference/decisions that differ from ${base.slice(0, 12)}.\n`);
      if (parts.length > 0)
        out.write(`${counted(parts.length, 'part')}: ${parts.map(({ name }) => name).join(', ')}.\n`);
    },
    judged(part, judged, planned) {
      moving(`${part.name}: ${judged}/${planned}`);
    },
    finished(part, { mutants }, seconds) {
      moving('');
      const percent = percentKilled(scoreOf(mutants)).toFixed(1);
      out.write(
        `${part.name}: ${counted(mutants.length, 'mutant')}, ${percent} % killed, ${seconds.toFixed(0)} s\n`,
      );
    },
  };
}

function reportText(report: MutationReport, paint: ReturnType<typeof painter>): string {
  const { mutants, comparison, cut } = report;
  const time = `Time: ${report.seconds.toFixed(1)} s.`;
  if (mutants.length === 0 && cut.length === 0) {
    return `Nothing of reference/decisions that could be mutated has changed: nothing ran. ${time}`;
  }
  const said = [`\n${scoreTable(mutants)}\n`];
  for (const mutant of comparison.unlisted) said.push(paint('red', mutantText(mutant)));
  if (comparison.unlisted.length > 0) {
    said.push(
      `${counted(comparison.unlisted.length, 'survivor')} without a reason: test what the line is for, remove what`,
      'nothing needs, or give the reason in properties/mutation/survivors. What runs while a module is loaded is',
      'judged again by a new test only with --force.\n',
    );
  }
  for (const { file, was, becomes } of comparison.gone) {
    said.push(paint('red', `${file}: listed as a survivor, but killed or gone\n  - ${was}\n  + ${becomes}`));
  }
  for (const { part, left, why } of cut) {
    const how = left === undefined ? 'not begun' : `${counted(left, 'mutant')} not judged`;
    said.push(paint('yellow', `${part}: ${how}, ${why}; the whole: pnpm test:mutation ${part}`));
  }
  const listed = mutants.filter(lives).length - comparison.unlisted.length;
  const score = `${report.percentKilled.toFixed(2)} % killed of ${counted(mutants.length, 'mutant')}`;
  const reasons = `${counted(listed, 'survivor')} with a reason, ${groupDigits(survivors.length)} listed`;
  said.push(`${score} (at least ${leastPercentKilled} % of the whole); ${reasons}. ${time}`);
  return said.join('\n');
}

function mutantText({ file, line, mutator, outcome, was, becomes }: JudgedMutant): string {
  return `${file}:${line}: ${outcome}, ${mutator}\n  - ${was}\n  + ${becomes}`;
}

function scoreTable(mutants: readonly JudgedMutant[]): string {
  const rows = [['file', 'killed', 'timeout', 'survived', 'no coverage', 'invalid', '%']];
  const row = (name: string, chosen: readonly JudgedMutant[]) => {
    const score = scoreOf(chosen);
    const { killed, timeout, survived, uncovered, invalid } = score;
    return [
      name,
      ...[killed, timeout, survived, uncovered, invalid].map(String),
      percentKilled(score).toFixed(1),
    ];
  };
  for (const [file, own] of [...Map.groupBy(mutants, ({ file }) => file)].sort()) {
    rows.push(row(file.replace('reference/decisions/', ''), own));
  }
  rows.push(row('all', mutants));
  return table(rows);
}
