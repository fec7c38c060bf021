/** `pnpm repro <finding|claim>`: prints each reproduction as a block, or all as JSON. */
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { counted, painter, type Style } from '../report/terminal.ts';
import { type Reproduction, reproduce } from '../repro/repro.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface ReproFlags {
  readonly seed?: string;
  readonly runs: string;
  readonly json?: true;
}

export function addReproOptions(command: Command): Command {
  return command
    .argument('<target>', 'a finding (F1) or a claim (F1.embedded)')
    .option('--seed <n>', '32-bit integer (default: a fresh one, printed)')
    .option('--runs <n>', 'generated cases to look for a counterexample in', '20000')
    .option('--json', 'the reproductions as JSON on stdout')
    .addHelpText(
      'after',
      `\nExamples:\n  pnpm repro F1\n  pnpm repro F6.diverged --seed 7\n${exitCodesHelp}`,
    );
}

/** 0 when every claim that the catalogue says is falsified was reproduced, and the reference held. */
export async function reproCommand(target: string, flags: ReproFlags): Promise<number> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()).once('SIGTERM', () => interrupt.abort());
  const options = {
    target,
    seed: parseSeed(flags.seed),
    runs: parseInteger('--runs', flags.runs, 1, 100_000_000),
    signal: interrupt.signal,
  };
  const paint = painter(process.stdout);
  const all: Reproduction[] = [];
  for await (const reproduction of reproduce(options)) {
    all.push(reproduction);
    if (flags.json !== true) process.stdout.write(`${reproductionBlock(reproduction, paint)}\n\n`);
  }
  if (flags.json === true) {
    const claims = all.map(({ claim, found, observations }) => ({ claim: claim.id, found, observations }));
    process.stdout.write(
      `${JSON.stringify({ v: 1, environment: readEnvironment(), seed: options.seed, claims }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(
      `${counted(all.length, 'claim')} at tier decision, the highest that has attacks for them; seed ${options.seed}. ` +
        `Again: pnpm repro ${target} --seed ${options.seed}\n`,
    );
  }
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  return all.every(asDeclared) ? exitCodes.asDeclared : exitCodes.differs;
}

function asDeclared({ claim, found, observations }: Reproduction): boolean {
  if (found === null) return false;
  return observations.every(({ subject, outcome, control }) => {
    if (control !== null) return false;
    // A case that falsifies one subject need not falsify another one, but where the claim holds, it holds.
    return claim.expected.decision[subject] === 'holds' ? outcome === 'holds' : true;
  });
}

const style: Record<string, Style> = { holds: 'green', falsified: 'yellow', crashed: 'red', garbage: 'red' };

function reproductionBlock(
  reproduction: Reproduction,
  paint: (style: Style, text: string) => string,
): string {
  const { claim, found, observations } = reproduction;
  const line = (name: string, text: string) =>
    `  ${name.padEnd(12)}${text.split('\n').join(`\n${' '.repeat(14)}`)}`;
  const lines = [paint('bold', `${claim.id}  ${claim.statement}`), line('source', claim.source)];
  if (found?.evidence === undefined) {
    return [
      ...lines,
      line('not found', paint('red', 'no counterexample within the runs: give more with --runs')),
    ].join('\n');
  }
  lines.push(line('input', found.evidence.case));
  if (found.subject.startsWith('mutant:'))
    lines.push(line('found by', `${found.subject}, a reference with one line changed`));
  const toldBySubjects = observations.some(({ did }) => did.includes('\n'));
  if (!toldBySubjects) for (const step of found.evidence.steps ?? []) lines.push(`              ${step}`);
  for (const [index, { subject, did, outcome }] of observations.entries()) {
    const before = observations[index - 1];
    const told = did.includes('\n') && did === before?.did ? `as ${before.subject}` : did;
    lines.push(line(subject, `${paint(style[outcome] ?? 'dim', outcome.padEnd(10))} ${told}`));
  }
  lines.push(line('required', `${found.evidence.required}  [${found.evidence.requiredRule}]`));
  const closed = observations.filter(({ control }) => control !== null);
  const open = 'the path was open: the positive control passed on every subject';
  lines.push(
    line(
      'control',
      closed.length === 0 ? open : closed.map(({ subject, control }) => `${subject}: ${control}`).join('; '),
    ),
  );
  lines.push(line('replay', paint('cyan', found.replay)));
  return lines.join('\n');
}
