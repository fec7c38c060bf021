/** `pnpm check decision <decision> -- <program>`: does somebody's program decide as it must? */
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { checkDecision, type DecisionCheck } from '#properties/subjects/external/check-decision.ts';
import { checkableDecisions, notCheckable } from '#properties/subjects/external/material.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { shellWords } from '../report/shell-words.ts';
import { counted, painter } from '../report/terminal.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface CheckFlags {
  readonly runs: string;
  readonly seed?: string;
  readonly answerTimeout: string;
  readonly json?: true;
}

const defaultTimeoutMs = '10000';
const shownDifferences = 10;
const shownChars = 400;

export function addCheckOptions(command: Command): Command {
  const excepted = Object.entries(notCheckable).map(([name, why]) => `  ${name}: ${why}`);
  return command
    .argument('<decision>', checkableDecisions.join(', '))
    .argument('<program...>', 'the program and its arguments, after --')
    .option('--runs <n>', 'generated inputs, compared with the reference', '10000')
    .option('--seed <n>', '32-bit integer (default: a fresh one, printed)')
    .option(
      '--answer-timeout <ms>',
      'longest time without an answer before the program is called hung',
      defaultTimeoutMs,
    )
    .option('--json', 'the result as JSON on stdout')
    .showHelpAfterError(
      'The program and its options come after --: pnpm check decision pin-address -- ./their-program',
    )
    .addHelpText(
      'after',
      `
The program speaks the subject protocol (docs/subject-protocol.md). It is held to the published vectors first, then
compared with the reference; it is started anew for each configuration. Adapters to start from:
properties/subjects/external/examples.

Not checkable over the protocol:
${excepted.join('\n')}

Examples:
  pnpm check decision pin-address -- python3 properties/subjects/external/examples/python/pin_address.py
  pnpm check decision reseed-gate --runs 100000 --seed 7 -- ./their-program --flag
${exitCodesHelp}`,
    );
}

/** 0: it decides as it must; 1: it differs, or failed in one of the ways that the protocol tells apart. */
export async function checkCommand(
  decision: string,
  program: readonly string[],
  flags: CheckFlags,
): Promise<number> {
  if (!process.argv.includes('--')) {
    throw new CodedError(
      'no-separator',
      'nothing says where the options end and the program begins',
      `put -- before it: pnpm check decision ${decision} -- ${shellWords(program)}`,
    );
  }
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()).once('SIGTERM', () => interrupt.abort());
  const options = {
    decision,
    command: program,
    runs: parseInteger('--runs', flags.runs, 0, 1_000_000),
    seed: parseSeed(flags.seed),
    answerTimeoutMs: parseInteger('--answer-timeout', flags.answerTimeout, 100, 3_600_000),
    signal: interrupt.signal,
  };
  const check = await checkDecision(options);
  const passed = check.conversation.outcome === 'answered' && check.differences.length === 0;
  const replay = shellWords([
    ...['pnpm', 'check', 'decision', decision, '--runs', flags.runs, '--seed', String(options.seed)],
    ...(flags.answerTimeout === defaultTimeoutMs ? [] : ['--answer-timeout', flags.answerTimeout]),
    ...['--', ...program],
  ]);
  if (flags.json === true) {
    const head = { v: 1, environment: readEnvironment(), decision, seed: options.seed, passed, replay };
    process.stdout.write(`${JSON.stringify({ ...head, ...check }, null, 2)}\n`);
  } else {
    process.stdout.write(
      `${checkText(check, decision, options.seed, painter(process.stdout))}\nAgain: ${replay}\n`,
    );
  }
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  return passed ? exitCodes.asDeclared : exitCodes.differs;
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= shownChars ? text : `${text.slice(0, shownChars)}… (whole with --json)`;
}

function checkText(
  check: DecisionCheck,
  decision: string,
  seed: number,
  paint: ReturnType<typeof painter>,
): string {
  const { conversation, processes, vectors, generated, otherwise, differences } = check;
  const { outcome, reason, answered, stderr, seconds } = conversation;
  const lines: string[] = [];
  for (const { source, input, expected, got, rule } of differences.slice(0, shownDifferences)) {
    lines.push(
      paint('bold', source),
      `  input     ${shortened(input)}`,
      `  expected  ${shortened(expected)}  [${rule}]`,
      `  got       ${shortened(got)}`,
      '',
    );
  }
  const more = differences.length - shownDifferences;
  if (more > 0) lines.push(`… and ${counted(more, 'more difference')}; with --json.`, '');
  if (stderr.length > 0) lines.push(`its stderr: ${stderr[0]}${stderr.length > 1 ? ' …' : ''}`, '');
  if (outcome !== 'answered') lines.push(paint('red', `${outcome}: ${reason}`), '');
  const verdict =
    outcome === 'answered' && differences.length === 0
      ? paint('green', 'As it must')
      : paint('red', 'NOT as it must');
  lines.push(
    `${verdict}: ${decision}, ${vectors === 0 ? 'no vectors of its shape' : `${counted(vectors, 'vector')} (${otherwise.vectors} decided otherwise)`}, ` +
      `${counted(generated, 'generated input')} (${otherwise.generated} otherwise), ` +
      `${counted(answered, 'answer')} in ${counted(processes, 'run')} and ${seconds.toFixed(1)} s, seed ${seed}.`,
  );
  return lines.join('\n');
}
