/**
 * How a check of somebody's system that goes part by part tells what it found: progress, the table, JSON, JUnit, the
 * commands that ask again, the exit code.
 * Invariant: table, JSON and JUnit are of the same answers; only a run that was whole and held ends with 0.
 */
import { readEnvironment } from '#properties/matrix/environment.ts';
import { type ClaimAnswer, failed, type PartAnswer } from '../blackbox/finding.ts';
import { partsJunit } from '../report/parts-junit.ts';
import { shellWords } from '../report/shell-words.ts';
import { writeReport } from '../report/write-report.ts';
import { exitCodes } from './exit-codes.ts';

export interface CheckReportFlags {
  readonly claim?: readonly string[];
  readonly part?: readonly string[];
  /** true: on stdout. */
  readonly json?: string | true;
  readonly junit?: string;
}

/** What a check answers, whatever else it counts. */
export interface CheckedParts {
  readonly claims: readonly ClaimAnswer[];
  readonly cutOff: string | null;
  /** Of what was started: what is left. */
  readonly left?: readonly string[];
}

export interface Replays {
  /** The whole run. */
  readonly replay: string;
  readonly replayOf: (part: PartAnswer) => string;
}

export interface CheckRun<Checked extends CheckedParts> {
  readonly kind: 'dns' | 'guest';
  /** Of JSON, before the seed: `target`, and what else there is to say of where it was. */
  readonly where: { readonly target: string; readonly [name: string]: string };
  readonly seed: number;
  /** The command that was typed, without --claim, --part and the outputs. */
  readonly words: readonly string[];
  readonly checked: Checked;
  readonly seconds: number;
  /** The table. */
  readonly text: (replays: Replays) => string;
}

/** @throws CodedError `report-not-written` */
export function reportCheck<Checked extends CheckedParts>(
  flags: CheckReportFlags,
  { kind, where, seed, words, checked, seconds, text }: CheckRun<Checked>,
): void {
  const replay = shellWords([...words, ...chosen('--claim', flags.claim), ...chosen('--part', flags.part)]);
  const replayOf = ({ claim, id }: PartAnswer) => shellWords([...words, '--claim', claim, '--part', id]);
  if (flags.junit !== undefined) {
    writeReport(
      flags.junit,
      partsJunit(`huskproof check ${kind}: ${where.target}`, checked.claims, replayOf),
    );
  }
  if (flags.json !== undefined) {
    const head = { v: 1, environment: readEnvironment(), ...where, seed, replay };
    const claims = checked.claims.map((claim) => ({
      ...claim,
      parts: claim.parts.map((part) => ({ ...part, replay: replayOf(part) })),
    }));
    deliver(`${JSON.stringify({ ...head, ...checked, claims, seconds }, null, 2)}\n`, flags.json);
  }
  if (flags.json !== true) process.stdout.write(`${text({ replay, replayOf })}\n`);
}

/** @param where a file; true: stdout */
export function deliver(text: string, where: string | true): void {
  if (where === true) process.stdout.write(text);
  else writeReport(where, text);
}

const chosen = (flag: string, values: readonly string[] | undefined) =>
  values === undefined || values.length === 0 ? [] : [flag, ...values];

/** Flags as they are typed. @param names of those that a replay has: key → flag */
export function replayWords(flags: object, names: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([key, value]) => {
    const name = names[key];
    if (name === undefined || value === undefined) return [];
    if (value === true) return [name];
    return [name, ...(Array.isArray(value) ? value.map(String) : [String(value)])];
  });
}

const quietMs = 2_000;

/** Nothing in the first two seconds, then a line every two. */
export function progressTo(stream: NodeJS.WritableStream): (part: string, done: number, all: number) => void {
  let next = performance.now() + quietMs;
  return (part, done, all) => {
    if (performance.now() < next) return;
    next = performance.now() + quietMs;
    stream.write(`${part}: ${done} of ${all}\n`);
  };
}

export function exitCodeOf({ claims, cutOff, left = [] }: CheckedParts): number {
  if (failed({ claims })) return exitCodes.differs;
  const isWhole = cutOff === null && left.length === 0 && claims.every(({ outcome }) => outcome === 'holds');
  return isWhole ? exitCodes.asDeclared : exitCodes.incomplete;
}
