#!/usr/bin/env node
/**
 * Holds the nft oracle to the kernel: random rulesets, random packets, every rule that matched and every
 * policy that applied, in order. Exit codes: 0 no difference, 1 some, 2 bad input, 69 unsupported here.
 */
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { privateNetworkReadiness, startPrivate } from '../providers/netns/private-process.ts';

const script = fileURLToPath(new URL('nft-fidelity-run.ts', import.meta.url));
const command = 'pnpm test:fidelity';
const usage = `Usage: ${command} [options]

random rulesets and packets: what the nft oracle says of each, and what this kernel does

Options:
  --packets <n>        packets in all (default 200000)
  --seed <n>           of rulesets and packets (default 1)
  --per-ruleset <n>    packets for each ruleset, at most 10000 (default 100)
  --workers <n>        namespaces at work at once, at most 64
  --iptables <percent> rulesets written by iptables-nft (default 25)
  --json               the figures as JSON on stdout

Examples:
  ${command}
  ${command} --packets 10000 --seed 7

Exit codes: 0 no difference, 1 some, 2 bad input, 69 unsupported here (the reason is printed).`;

export interface FidelityFigures {
  readonly packets: number;
  readonly rulesets: number;
  readonly refusedRulesets: number;
  readonly differences: number;
  readonly notUnderstood: number;
  readonly jsonDifferences: number;
  readonly jsonNotUnderstood: number;
  readonly lossyListings: number;
  readonly unlistable: number;
  readonly events: number;
}

const progressEveryMs = 10_000;

const none: FidelityFigures = {
  packets: 0,
  rulesets: 0,
  refusedRulesets: 0,
  differences: 0,
  notUnderstood: 0,
  jsonDifferences: 0,
  jsonNotUnderstood: 0,
  lossyListings: 0,
  unlistable: 0,
  events: 0,
};

function readOptions() {
  const { values } = parseArgs({
    options: {
      packets: { type: 'string', default: '200000' },
      seed: { type: 'string', default: '1' },
      'per-ruleset': { type: 'string', default: '100' },
      workers: { type: 'string', default: String(Math.min(8, availableParallelism() * 2)) },
      iptables: { type: 'string', default: '25' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const [packets, seed, perRuleset, workers, iptables] = [
    values.packets,
    values.seed,
    values['per-ruleset'],
    values.workers,
    values.iptables,
  ].map((text) => (/^\d+$/.test(text) ? Number(text) : Number.NaN)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const counts = packets > 0 && seed >= 0 && perRuleset > 0 && perRuleset <= 10_000;
  const sound = counts && workers > 0 && workers <= 64 && iptables <= 100;
  if (!sound) throw new RangeError(`every option but --json takes a number\n\n${usage}`);
  return { packets, seed, perRuleset, workers, iptables, json: values.json };
}

/** One namespace's share; its differences are printed as they come. */
async function share(
  packets: number,
  seed: number,
  perRuleset: number,
  iptables: number,
  processor: number,
  onProgress: (packets: number) => void,
): Promise<FidelityFigures> {
  const words = [packets, seed, perRuleset, iptables].map(String);
  const child = startPrivate(script, words, processor);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  let figures: FidelityFigures | null = null;
  if (child.stdout === null) throw new Error('no output of the worker');
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line) as FidelityFigures | { difference: number } | { progress: number };
    if ('packets' in entry) figures = entry;
    else if ('progress' in entry) onProgress(entry.progress);
    else process.stderr.write(`${line}\n`);
  }
  const code = await ended;
  if (figures === null)
    throw new Error(`the worker with seed ${seed} ended with code ${code} and without figures`);
  return figures;
}

function sum(all: readonly FidelityFigures[]): FidelityFigures {
  const total: Record<string, number> = { ...none };
  for (const figures of all) {
    for (const key of Object.keys(none))
      total[key] = (total[key] ?? 0) + figures[key as keyof FidelityFigures];
  }
  return total as { [key in keyof FidelityFigures]: number };
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const { packets, seed, perRuleset, workers, iptables, json } = options;
  const readiness = privateNetworkReadiness();
  if (!readiness.ready) {
    process.stdout.write(`unsupported: ${readiness.reason}; ${readiness.remedy}\n`);
    return 69;
  }
  const begin = performance.now();
  const each = Math.ceil(packets / workers);
  const judged: number[] = Array.from({ length: workers }, () => 0);
  const shares = judged.map((_, i) =>
    share(each, seed * 1_000 + i, perRuleset, iptables, i % availableParallelism(), (done) => {
      judged[i] = done;
    }),
  );
  const telling = setInterval(() => {
    process.stderr.write(`… ${judged.reduce((all, one) => all + one, 0)}/${packets} packets\n`);
  }, progressEveryMs);
  const total = sum(await Promise.all(shares).finally(() => clearInterval(telling)));
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const numbers = { packets, seed, 'per-ruleset': perRuleset, workers, iptables };
  const words = Object.entries(numbers).map(([name, value]) => `--${name} ${value}`);
  const replay = `${command} ${words.join(' ')}`;
  if (json) process.stdout.write(`${JSON.stringify({ ...total, seconds, replay })}\n`);
  else {
    process.stdout.write(
      `${total.packets} packets, ${total.rulesets} rulesets, ${total.events} events of the kernel, ${seconds} s\n` +
        `from netlink: ${total.differences} differences, ${total.notUnderstood} packets without a verdict\n` +
        `from JSON: ${total.jsonDifferences} differences, ${total.jsonNotUnderstood} packets without a verdict, ` +
        `${total.lossyListings} rulesets of which nft lists too little, ${total.unlistable} at which it aborts\n` +
        `again: ${replay}\n`,
    );
  }
  return total.differences + total.jsonDifferences > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
