/**
 * The subject protocol through another process: cases asked and answers heard, with a subject that answers
 * at once. Two peers bound it from above: `cat` gives the same octets back, of which only the newlines are
 * counted (what the pipes alone allow), and the same JSON is written and read in this process (what JSON
 * alone costs).
 */
import { spawn } from 'node:child_process';
import * as fc from 'fast-check';
import { addressArbitrary, emptyPolicy } from '#properties/arbitraries/addresses.ts';
import { checkDecision } from '#properties/subjects/external/check-decision.ts';
import { converse } from '#properties/subjects/external/conversation.ts';
import type { Benchmark } from './benchmark.ts';

const cases = 200_000;
const rounds = 5;
const answerTimeoutMs = 30_000;

/** Drops the header, keeps the id, refuses every address: no program of its own can answer sooner. */
const subject = ['sed', '-e', '1d', '-e', 's/,"input".*/,"output":{"verdict":"refuse","rule":"none"}}/'];

async function throughTheProtocol(inputs: readonly unknown[]): Promise<number> {
  let heard = 0;
  const script = {
    inputs,
    count: inputs.length,
    continues: false,
    hear: () => {
      heard += 1;
    },
  };
  const signal = new AbortController().signal;
  const options = { decision: 'pin-address', config: emptyPolicy, answerTimeoutMs, signal };
  const { outcome, reason } = await converse(subject, script, options);
  if (outcome !== 'answered') throw new Error(`the bench's subject: ${outcome}, ${reason}`);
  return heard;
}

async function throughCat(lines: Buffer): Promise<number> {
  const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(lines);
  let newlines = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) newlines += 1;
  }
  return newlines;
}

/** Each case as text, each answer from text. */
async function throughJsonAlone(inputs: readonly unknown[]): Promise<number> {
  let octets = 0;
  let heard = 0;
  for (const [id, input] of inputs.entries()) {
    octets += JSON.stringify({ id, input }).length;
    const text = `{"id":${id},"output":{"verdict":"refuse","rule":"none"}}`;
    if ((JSON.parse(text) as { id: number }).id === id) heard += 1;
  }
  return octets > 0 ? heard : 0;
}

async function judged(seed: number): Promise<number> {
  const { conversation } = await checkDecision({
    decision: 'pin-address',
    command: subject,
    runs: cases / 2,
    seed,
    answerTimeoutMs,
    signal: new AbortController().signal,
  });
  return conversation.answered / conversation.seconds;
}

async function rate(work: () => Promise<number>): Promise<number> {
  const start = performance.now();
  const done = await work();
  return (done * 1_000) / (performance.now() - start);
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

export const protocolBenchmark: Benchmark = {
  summary: `${cases.toLocaleString('en-US')} cases of pin-address through a subject in another process (sed) that answers at once; peers: cat, JSON alone`,
  async run() {
    const addresses = fc.sample(addressArbitrary, { numRuns: cases, seed: 1 });
    const inputs = addresses.map((address) => ({ address }));
    const lines = Buffer.from(inputs.map((input, id) => `${JSON.stringify({ id, input })}\n`).join(''));
    const contenders: [string, () => Promise<number>][] = [
      ['asked and heard', () => rate(() => throughTheProtocol(inputs))],
      ['cat, newlines counted', () => rate(() => throughCat(lines))],
      ['JSON alone, no process', () => rate(() => throughJsonAlone(inputs))],
      ['check decision: judged too', () => judged(1)],
    ];
    const rates = contenders.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, [, run]] of contenders.entries()) rates[index]?.push(await run());
    }
    return {
      measurements: contenders.map(([name], index) => {
        const own = rates[index] ?? [];
        return { name, perSecond: median(own), unit: 'cases', rounds: own };
      }),
      notes: [
        `${(lines.length / cases).toFixed(0)} octets a case; a check starts one process for each configuration`,
      ],
    };
  },
};
