/** `pnpm repro <finding|claim>`: prints each reproduction as a block, or all as JSON. */
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { decisionBlock, notRunBlock, packetsBlock } from '../report/repro-text.ts';
import { counted, painter } from '../report/terminal.ts';
import { dnsReproductionBlock } from '../repro/dns-reproduction.ts';
import { forkReproductionBlock } from '../repro/fork-reproduction.ts';
import { type AttackTier, type Reproduction, reproduce } from '../repro/repro.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface ReproFlags {
  readonly seed?: string;
  readonly tier?: string;
  readonly runs: string;
  readonly json?: true;
}

export function addReproOptions(command: Command): Command {
  return command
    .argument('<target>', 'a finding (F1) or a claim (F1.embedded)')
    .option('--seed <n>', '32-bit integer (default: a fresh one, printed)')
    .option('--runs <n>', 'generated cases to look for a counterexample in', '20000')
    .option('--tier <name>', 'decision, kernel or vm (default: the highest that is ready here)')
    .option('--json', 'the reproductions as JSON on stdout')
    .addHelpText(
      'after',
      `\nExamples:\n  pnpm repro F1\n  pnpm repro F4.source\n  pnpm repro F6\n  pnpm repro F6.diverged --seed 7\n${exitCodesHelp}`,
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
    tier: parseReproTier(flags.tier),
    say: (line: string) => void process.stderr.write(`${line}\n`),
  };
  const paint = painter(process.stdout);
  const all: Reproduction[] = [];
  for await (const reproduction of reproduce(options)) {
    all.push(reproduction);
    if (flags.json !== true) process.stdout.write(`${blockOf(reproduction, paint)}\n\n`);
  }
  if (flags.json === true) process.stdout.write(jsonOf(all, options.seed));
  else process.stdout.write(`${lastLine(all, options)}\n`);
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  if (!all.every(asDeclared)) return exitCodes.differs;
  // Nothing at all could be shown: that is no reproduction.
  return all.every(({ tier }) => tier === 'not run') ? exitCodes.incomplete : exitCodes.asDeclared;
}

function blockOf(reproduction: Reproduction, paint: ReturnType<typeof painter>): string {
  if (reproduction.tier === 'decision') return decisionBlock(reproduction, paint);
  if (reproduction.tier === 'not run') return notRunBlock(reproduction, paint);
  if (reproduction.tier === 'vm') return forkReproductionBlock(reproduction, paint);
  return reproduction.kind === 'dns'
    ? dnsReproductionBlock(reproduction, paint)
    : packetsBlock(reproduction, paint);
}

function jsonOf(all: readonly Reproduction[], seed: number): string {
  const claims = all.map(({ claim, ...rest }) => ({ claim: claim.id, ...rest }));
  return `${JSON.stringify({ v: 1, environment: readEnvironment(), seed, claims }, null, 2)}\n`;
}

function lastLine(all: readonly Reproduction[], { target, seed }: { target: string; seed: number }): string {
  const count = (wanted: Reproduction['tier']) => all.filter(({ tier }) => tier === wanted).length;
  const parts = (['vm', 'kernel', 'decision'] as const)
    .filter((tier) => count(tier) > 0)
    .map((tier) => `${counted(count(tier), 'claim')} at tier ${tier}`);
  const skipped =
    count('not run') === 0 ? '' : `; ${count('not run')} not run at a higher tier, as said above`;
  return `${parts.join(', ') || 'Nothing was reproduced'}${skipped}; seed ${seed}. Again: pnpm repro ${target} --seed ${seed}`;
}

/** @throws CodedError `bad-value` */
function parseReproTier(text: string | undefined): 'decision' | AttackTier | null {
  if (text === undefined) return null;
  if (text === 'decision' || text === 'kernel' || text === 'vm') return text;
  const remedy = 'give decision, kernel or vm, or none for the highest that is ready';
  throw new CodedError('bad-value', `--tier ${text} is none that repro has`, remedy);
}

function asDeclared(reproduction: Reproduction): boolean {
  if (reproduction.tier === 'not run') return true;
  if (reproduction.tier === 'kernel' || reproduction.tier === 'vm') {
    return reproduction.tellings.every(({ record }) => record.asExpected);
  }
  const { claim, found, observations } = reproduction;
  if (found === null) return false;
  return observations.every(({ subject, outcome, control }) => {
    if (control !== null) return false;
    // A case that falsifies one subject need not falsify another one, but where the claim holds, it holds.
    return claim.expected.decision[subject] === 'holds' ? outcome === 'holds' : true;
  });
}
