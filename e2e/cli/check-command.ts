/** `pnpm check decision <decision> -- <program>`: does somebody's program decide as it must? */
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import {
  checkableDecisions,
  checkDecision,
  type DecisionCheck,
} from '#properties/subjects/external/check-decision.ts';
import { counted, painter } from '../report/terminal.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface CheckFlags {
  readonly runs: string;
  readonly seed?: string;
  readonly answerTimeout: string;
  readonly json?: true;
}

export function addCheckOptions(command: Command): Command {
  return command
    .argument('<decision>', checkableDecisions.join(', '))
    .argument('<program...>', 'the program and its arguments, after --')
    .option('--runs <n>', 'generated inputs, compared with the reference', '10000')
    .option('--seed <n>', '32-bit integer (default: a fresh one, printed)')
    .option(
      '--answer-timeout <ms>',
      'longest time without an answer before the program is called hung',
      '10000',
    )
    .option('--json', 'the result as JSON on stdout')
    .addHelpText(
      'after',
      `
The program speaks the subject protocol (docs/subject-protocol.md). It is held to the published vectors first, then
compared with the reference. Adapters to start from: properties/subjects/external/examples.

Examples:
  pnpm check decision pin-address -- python3 properties/subjects/external/examples/python/pin_address.py
  pnpm check decision pin-address --runs 100000 --seed 7 -- ./their-program --flag
${exitCodesHelp}`,
    );
}

const shownDifferences = 10;

/** 0: it decides as it must; 1: it differs, or failed in one of the ways that the protocol tells apart. */
export async function checkCommand(
  decision: string,
  program: readonly string[],
  flags: CheckFlags,
): Promise<number> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()).once('SIGTERM', () => interrupt.abort());
  const options = {
    decision,
    command: program,
    runs: parseInteger('--runs', flags.runs, 0, 10_000_000),
    seed: parseSeed(flags.seed),
    answerTimeoutMs: parseInteger('--answer-timeout', flags.answerTimeout, 100, 3_600_000),
    signal: interrupt.signal,
  };
  const check = await checkDecision(options);
  const passed = check.conversation.outcome === 'answered' && check.differences.length === 0;
  if (flags.json === true) {
    const { outputs, refused, ...conversation } = check.conversation;
    const result = {
      ...check,
      conversation: { ...conversation, answered: outputs.size, refused: refused.size },
    };
    process.stdout.write(
      `${JSON.stringify({ v: 1, environment: readEnvironment(), seed: options.seed, passed, ...result }, null, 2)}\n`,
    );
  } else process.stdout.write(`${checkText(check, options, painter(process.stdout))}\n`);
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  return passed ? exitCodes.asDeclared : exitCodes.differs;
}

type Asked = {
  readonly decision: string;
  readonly command: readonly string[];
  readonly runs: number;
  readonly seed: number;
};

function checkText(
  check: DecisionCheck,
  { decision, command, runs, seed }: Asked,
  paint: ReturnType<typeof painter>,
): string {
  const { conversation, vectors, generated, differences } = check;
  const { outcome, reason, outputs, refused, stderr, seconds } = conversation;
  const lines: string[] = [];
  for (const { source, input, expected, got, rule } of differences.slice(0, shownDifferences)) {
    lines.push(paint('bold', source), `  input     ${JSON.stringify(input)}`);
    lines.push(
      `  expected  ${JSON.stringify(expected)}  [${rule}]`,
      `  got       ${JSON.stringify(got)}`,
      '',
    );
  }
  const more = differences.length - shownDifferences;
  if (more > 0) lines.push(`… and ${counted(more, 'more difference')}; all of them with --json.`, '');
  if (stderr.length > 0) lines.push(`its stderr: ${stderr[0]}${stderr.length > 1 ? ' …' : ''}`, '');
  if (outcome !== 'answered') lines.push(paint('red', `${outcome}: ${reason}`), '');
  const failedVectors = differences.filter(({ source }) => source !== 'generated').length;
  const verdict =
    outcome === 'answered' && differences.length === 0
      ? paint('green', 'As it must')
      : paint('red', 'NOT as it must');
  const rate = Math.round((outputs.size + refused.size) / Math.max(seconds, 0.001));
  lines.push(
    `${verdict}: ${decision}, ${counted(vectors, 'vector')} (${failedVectors} decided otherwise), ` +
      `${counted(generated, 'generated input')} (${differences.length - failedVectors} otherwise), ` +
      `${counted(rate, 'answer')}/s, seed ${seed}.`,
    `Again: pnpm check decision ${decision} --runs ${runs} --seed ${seed} -- ${command.join(' ')}`,
  );
  return lines.join('\n');
}
