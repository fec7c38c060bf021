/** Values of command line options: parsed strictly, refused with what was wrong and what is valid. */
import { randomInt } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';

/**
 * An integer within bounds.
 * @throws CodedError `bad-value`
 */
export function parseInteger(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^-?\d{1,15}$/.test(text) || value < least || value > most) {
    throw new CodedError(
      'bad-value',
      `${option} ${text} is no such number`,
      `give an integer from ${least} to ${most}`,
    );
  }
  return value;
}

/** A 32-bit seed, or a fresh one. */
export function parseSeed(text: string | undefined): number {
  if (text === undefined) return randomInt(-(2 ** 31), 2 ** 31);
  return parseInteger('--seed', text, -(2 ** 31), 2 ** 31 - 1);
}

/**
 * `i/n` with 1 ≤ i ≤ n ≤ 1000.
 * @throws CodedError `bad-shard`
 */
export function parseShard(text: string): { index: number; count: number } {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (index === undefined || shard.index < 1 || shard.index > shard.count || shard.count > 1000) {
    throw new CodedError(
      'bad-shard',
      `--shard ${text} is no share`,
      'write i/n with 1 ≤ i ≤ n ≤ 1000, for example 2/4',
    );
  }
  return shard;
}

/**
 * A counterexample's path as a replay command prints it.
 * @throws CodedError `bad-path`
 */
export function parsePath(text: string): string {
  if (/^(example:\d{1,6}|\d{1,9}(:\d{1,9}){0,200}(@[\w+/:=-]{1,200})?)$/.test(text)) return text;
  throw new CodedError(
    'bad-path',
    `--path ${text} is no path of a counterexample`,
    'copy it whole from a replay line, for example 12:0:1 or example:3; it belongs to one --claim, --subject and --seed',
  );
}

/** Collects a repeatable option whose values may also be separated by commas. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, ...value.split(',').filter((part) => part !== '')];
}

/**
 * `decision`, `kernel` or `all`; without one, what is ready.
 * @throws CodedError `bad-value`
 */
export function parseTier(text: string | undefined): 'ready' | 'decision' | 'kernel' | 'vm' | 'all' {
  if (text === undefined) return 'ready';
  if (text === 'decision' || text === 'kernel' || text === 'vm' || text === 'all') return text;
  throw new CodedError(
    'bad-value',
    `--tier ${text} is none that verify runs`,
    'give decision, kernel, vm or all; pnpm lab doctor says which tiers are ready',
  );
}
