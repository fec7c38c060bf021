/**
 * `pnpm subject <name> <decision>`: one of our subjects answers anybody's cases over the subject protocol.
 */
import type { Command } from 'commander';
import { unknownName } from '#properties/matrix/catalogue.ts';
import { answerCases } from '#properties/protocol/case-lines.ts';
import { type DecisionName, decisions } from '#properties/protocol/decisions.ts';
import { importBinds } from '#properties/subjects/load-subject.ts';
import { type BuiltInSubject, builtInSubjects } from '#properties/subjects/subject.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';

const maxComplaints = 10;

export function addSubjectArguments(command: Command): Command {
  return command
    .argument('<name>', builtInSubjects.join(', '))
    .argument('<decision>', Object.keys(decisions).join(', '))
    .option('--schema', 'print the JSON schemas of config, input and output, and an example, instead')
    .addHelpText(
      'after',
      `
Reads the subject protocol on stdin (docs/subject-protocol.md): a header line, then a case a line.

Examples:
  pnpm subject reference pin-address < cases.jsonl
  pnpm --silent subject published pin-address < cases.jsonl | head
  pnpm subject reference dns-query --schema
${exitCodesHelp}`,
    );
}

/** Returns the exit code: 2 when a line was refused. */
export async function subjectCommand(
  name: string,
  decisionName: string,
  flags: { schema?: true },
): Promise<number> {
  if (!(builtInSubjects as readonly string[]).includes(name))
    throw unknownName('subject', name, builtInSubjects);
  if (!(decisionName in decisions)) throw unknownName('decision', decisionName, Object.keys(decisions));
  const decision = decisions[decisionName as DecisionName];
  if (flags.schema === true) {
    const { config, input, output, equality, example } = decision;
    process.stdout.write(
      `${JSON.stringify({ decision: decision.name, config, input, output, equality, example }, null, 2)}\n`,
    );
    return exitCodes.asDeclared;
  }
  const binds = await importBinds(name as BuiltInSubject, [decisionName as DecisionName]);
  const bind = binds.get(decisionName as DecisionName);
  if (bind === undefined) throw unknownName('decision', decisionName, [...binds.keys()]);
  if (process.stdin.isTTY === true) {
    process.stderr.write(
      'Reading the subject protocol from the terminal; end with Ctrl-D. See --help for a file.\n',
    );
  }
  let complaints = 0;
  const summary = await answerCases(decision, bind, process.stdin, process.stdout, (line, message) => {
    complaints += 1;
    if (complaints <= maxComplaints) process.stderr.write(`line ${line}: ${message}\n`);
  });
  if (summary.refused === 0) return exitCodes.asDeclared;
  process.stderr.write(
    `${summary.refused} of ${summary.refused + summary.answered} lines refused; --schema shows what a case is.\n`,
  );
  return exitCodes.usage;
}
