/** `pnpm test:fuzz <target>`: hostile messages by the million, judged by models; a failure is shrunk and replayable. */
import type { Command } from 'commander';
import { looksPerOctet } from '#properties/fuzz/dns/counted-octets.ts';
import { invariants } from '#properties/fuzz/dns/finding.ts';
import { recordedRun } from '#properties/fuzz/dns/peers/measured-peers.ts';
import { type WatchedOutcome, watchedFuzz } from '#properties/fuzz/dns/watched-fuzz.ts';
import { unknownName } from '#properties/matrix/catalogue.ts';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { counted, groupDigits, painter, table } from '../report/terminal.ts';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import { type PeersRun, peersText, recordPeers, runPeers } from './fuzz-peers.ts';
import { parseInteger, parsePath, parseSeed } from './parse-values.ts';

export interface FuzzFlags {
  readonly minutes?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly path?: string;
  readonly record?: true;
  readonly json?: true;
}

const targets = {
  dns: 'the wire codec of the DNS proxy, from the guest’s side and the upstream’s',
  'dns-peers': 'the codec beside dns-packet and Debian’s dnspython, every difference in a known class',
} as const;
const mostMinutes = 24 * 60;
const mostRuns = 2_000_000_000;

export function addFuzzOptions(command: Command): Command {
  const list = Object.entries(targets).map(([name, what]) => `${name}: ${what}`);
  return command
    .argument('<target>', list.join('; '))
    .option('--minutes <n>', 'how long (default: 1); the long form is 60')
    .option('--runs <n>', 'so many cases instead of a time')
    .option('--seed <n>', 'repeat a run: the same seed draws the same cases')
    .option('--path <path>', 'one counterexample of that seed, as a replay line prints it')
    .option('--record', 'dns-peers: a fixed run, kept for docs/dns-peers.md')
    .option('--json', 'the result as JSON on stdout')
    .addHelpText(
      'after',
      `
Every case is judged against ${counted(Object.keys(invariants).length, 'invariant')} by models that import nothing of the codec.

Examples:
  pnpm test:fuzz dns
  pnpm test:fuzz dns --minutes 60
  pnpm test:fuzz dns --seed 7 --runs 3000
  pnpm test:fuzz dns-peers --minutes 5
${exitCodesHelp}`,
    );
}

export async function fuzzCommand(target: string, flags: FuzzFlags): Promise<number> {
  if (!(target in targets)) throw unknownName('target', target, Object.keys(targets));
  const isPeers = target === 'dns-peers';
  const recorded = isPeers && flags.record === true ? recordedRun : null;
  const seed = recorded?.seed ?? parseSeed(flags.seed);
  const minutes = parseInteger('--minutes', flags.minutes ?? '1', 1, mostMinutes);
  const given = flags.runs === undefined ? mostRuns : parseInteger('--runs', flags.runs, 1, mostRuns);
  const runs = recorded?.runs ?? given;
  const path = flags.path === undefined ? {} : { path: parsePath(flags.path) };
  const out = flags.json === true ? process.stderr : process.stdout;
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const { signal } = interrupt;
  const startMs = performance.now();
  const timed = recorded === null && (flags.runs === undefined || flags.minutes !== undefined);
  const limitMs = timed ? 60_000 * minutes : Number.MAX_VALUE;
  out.write(`Fuzzing ${target}: ${targets[target as keyof typeof targets]}; seed ${seed}.\n`);
  const run = isPeers ? fuzzPeers : fuzzCodec;
  const { code, text, json } = await run({ seed, runs, limitMs, ...path }, signal, painter(out));
  process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  const seconds = (performance.now() - startMs) / 1_000;
  out.write(`${text}\n`);
  if (flags.json === true) {
    const report = { v: 1, environment: readEnvironment(), target, seed, seconds, ...json };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  }
  if (recorded !== null && code === exitCodes.asDeclared) recordPeers(json as PeersRun, recorded);
  return interrupt.signal.aborted ? exitCodes.interrupted : code;
}

interface Bounds {
  readonly seed: number;
  readonly runs: number;
  readonly limitMs: number;
  readonly path?: string;
}

interface Ran {
  readonly code: number;
  readonly text: string;
  readonly json: object;
}

type Paint = ReturnType<typeof painter>;

async function fuzzCodec({ limitMs, ...bounds }: Bounds, signal: AbortSignal, paint: Paint): Promise<Ran> {
  const startMs = performance.now();
  const progress = fuzzProgress();
  const result = await watchedFuzz({
    // The thread has a clock of its own, which begins when it does.
    bounds: { ...bounds, deadlineMs: limitMs },
    signal,
    onProgress: ({ cases, messages }) =>
      progress.advanced(`${counted(cases, 'case')}, ${counted(messages, 'message')}`),
  });
  progress.clear();
  const text = fuzzText(result, (performance.now() - startMs) / 1_000, paint);
  const holds = result.outcome === 'holds' || result.outcome === 'interrupted';
  return { code: holds ? exitCodes.asDeclared : exitCodes.differs, text, json: result };
}

/** Without dnspython half of it did not run: that is no success. */
async function fuzzPeers({ limitMs, ...bounds }: Bounds, signal: AbortSignal, paint: Paint): Promise<Ran> {
  const startMs = performance.now();
  const progress = fuzzProgress();
  const run = await runPeers({
    ...bounds,
    deadlineMs: startMs + limitMs,
    signal,
    onBatch: (results) =>
      progress.advanced(results.map(({ peer, messages }) => `${peer} ${groupDigits(messages)}`).join(', ')),
  });
  progress.clear();
  const text = peersText(run, (performance.now() - startMs) / 1_000, paint);
  const code = run.unsupported === null ? exitCodes.asDeclared : exitCodes.incomplete;
  return { code: run.findings.length > 0 ? exitCodes.differs : code, text, json: run };
}

const shownHex = 1_200;
const shortHex = (hex: string) =>
  hex.length > shownHex ? `${hex.slice(0, shownHex)}… (${groupDigits(hex.length / 2)} octets)` : hex;

function fuzzText(result: WatchedOutcome, seconds: number, paint: Paint): string {
  const { outcome, totals, counterexample, lastMessage, reason } = result;
  const said: string[] = [];
  if (counterexample !== null) {
    const { findings, family, transport, guest, seed, path, shrinks } = counterexample;
    said.push(paint('red', `falsified: ${family} over ${transport}, shrunk ${counted(shrinks, 'time')}`));
    const rows = findings.slice(0, 5).flatMap(({ invariant, observed, required, message }) => [
      [`  ${invariant}`, invariants[invariant]],
      ['    message', shortHex(message)],
      ['    observed', shortHex(observed)],
      ['    required', shortHex(required)],
    ]);
    said.push(table([...rows, ['  guest', shortHex(guest)]]));
    said.push(`  replay    pnpm test:fuzz dns --seed ${seed} --path ${path}\n`);
  }
  if (outcome === 'hung' || outcome === 'crashed')
    said.push(paint('red', `${outcome}: ${reason}`), `  message   ${shortHex(lastMessage ?? '')}\n`);
  const { cases, messages, families, mostLooks, mostLooksPerOctet } = totals;
  const rows = Object.entries(families)
    .sort()
    .map(([family, count]) => [`  ${family}`, groupDigits(count)]);
  if (rows.length > 0) said.push(table([['  family', 'cases'], ...rows]));
  const speed = `${groupDigits(Math.round(cases / seconds))} cases/s, ${groupDigits(Math.round(messages / seconds))} messages/s`;
  said.push(
    `\nMost work on one message: ${groupDigits(mostLooks)} looks; ${mostLooksPerOctet.toFixed(1)} for each octet, ${looksPerOctet} allowed.`,
    `${paint(outcome === 'holds' ? 'green' : 'red', outcome)}: ${counted(cases, 'case')}, ${counted(messages, 'message')} judged, ${seconds.toFixed(1)} s (${speed}).`,
  );
  return said.join('\n');
}

const plainIntervalMs = 10_000;

/** On stderr: a moving line on a terminal, else one now and then. */
function fuzzProgress() {
  const { stderr } = process;
  const moving = stderr.isTTY === true;
  let lastMs = performance.now();
  return {
    advanced(line: string) {
      if (!moving && performance.now() - lastMs < plainIntervalMs) return;
      lastMs = performance.now();
      stderr.write(moving ? `\r\u001b[K${line}` : `… ${line}\n`);
    },
    clear() {
      if (moving) stderr.write('\r\u001b[K');
    },
  };
}
