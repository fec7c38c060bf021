/** `pnpm bench [name…]`: ours beside a peer, in one run, as ratios. Never part of a test. */
import type { Command } from 'commander';
import type { Benchmark, BenchmarkFlags, BenchmarkResult } from '#kvm-lab/bench/benchmark.ts';
import { benchmarks } from '#kvm-lab/bench/benchmarks.ts';
import { type ForkPart, forkParts, isForkPart } from '#kvm-lab/bench/fork/parts.ts';
import { unknownName } from '#properties/matrix/catalogue.ts';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { groupDigits, painter, table } from '../report/terminal.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

export function addBenchArguments(command: Command): Command {
  return command
    .argument('[names...]', `which: ${Object.keys(benchmarks).join(', ')} (default: all)`)
    .option('--json', 'the figures as JSON on stdout')
    .option('--memory-minutes <n>', 'of dns: resident memory under a load of so many minutes')
    .option('--parts <names>', `of fork: these alone, of ${forkParts.join(',')}`)
    .addHelpText(
      'after',
      `\nExamples:\n  pnpm bench\n  pnpm bench pin-address\n  pnpm bench dns --memory-minutes 10\n  pnpm bench fork --parts latency,live\n  pnpm --silent bench --json\n${exitCodesHelp}`,
    );
}

export interface BenchCommandFlags {
  readonly json?: true;
  readonly memoryMinutes?: string;
  readonly parts?: string;
}

export async function benchCommand(names: readonly string[], flags: BenchCommandFlags): Promise<number> {
  const known = Object.keys(benchmarks);
  for (const name of names) if (!known.includes(name)) throw unknownName('benchmark', name, known);
  const { memoryMinutes, parts } = flags;
  const benchFlags: BenchmarkFlags = {
    ...(memoryMinutes === undefined
      ? {}
      : { memoryMinutes: parseInteger('--memory-minutes', memoryMinutes, 1, 24 * 60) }),
    ...(parts === undefined ? {} : { forkParts: partsOfFork(parts) }),
  };
  const out = flags.json === true ? process.stderr : process.stdout;
  const paint = painter(out);
  const results: BenchmarkResult[] = [];
  for (const name of names.length === 0 ? known : names) {
    const benchmark = benchmarks[name as keyof typeof benchmarks] as Benchmark;
    out.write(`${paint('bold', name)}  ${benchmark.summary}\n`);
    const result = { name, ...(await benchmark.run(benchFlags)) };
    results.push(result);
    out.write(`${resultTable(result)}\n\n`);
  }
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ v: 1, environment: readEnvironment(), results }, null, 2)}\n`);
  }
  return exitCodes.asDeclared;
}

function partsOfFork(named: string): readonly ForkPart[] {
  return named.split(',').map((name) => {
    if (isForkPart(name)) return name;
    throw unknownName('part', name, forkParts);
  });
}

function resultTable({ measurements, notes }: BenchmarkResult): string {
  let ours: number | null = null;
  const rows = measurements.map(({ name, perSecond, unit, leads }) => {
    const isOurs = ours === null || leads === true;
    const ratio = isOurs || perSecond === 0 ? '' : `ours is ${((ours ?? 0) / perSecond).toFixed(1)}×`;
    if (isOurs) ours = perSecond;
    return [
      `  ${name}`,
      `${groupDigits(Math.round(perSecond))} ${unit}${unit.includes('/') ? '' : '/s'}`,
      ratio,
    ];
  });
  return [table(rows), ...notes.map((note) => `  ${note}`)].join('\n');
}
