/**
 * Prints a transaction as the tests of the rules expect it: a line for each command, the reason of a rule
 * first, then what it matches and does, with bars between. Names stand as they are in nft(8).
 * Invariant: a word that is not known here is an error, never left out.
 */
import type { Command, Json, Transaction } from './nft-json.ts';

type Words = Readonly<Record<string, Json>>;

/** What a test expects: a line that is indented more than the first one goes on with the line before. */
export function unfolded(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const indentOf = (line: string) => line.length - line.trimStart().length;
  const indent = indentOf(lines[0] ?? '');
  const whole: string[] = [];
  for (const line of lines)
    whole.push(indentOf(line) > indent ? `${whole.pop()} ${line.trim()}` : line.trim());
  return whole;
}

export function printed({ nftables }: Transaction): string[] {
  return nftables.map(printedCommand);
}

function printedCommand(command: Command): string {
  const [verb, object] = only(command);
  const [kind, words] = only(object as Words);
  const { family, table, name, chain, comment, expr, elem, ...rest } = words as Words;
  const place = [family, table, chain, name].filter((word) => word !== undefined).join(' ');
  const more: string[] = Object.entries(rest).map(([key, value]) => `${key} ${listed(value, '.')}`);
  if (comment !== undefined) more.push(String(comment));
  if (expr !== undefined) more.push(...(expr as Words[]).map(printedStatement));
  if (elem !== undefined) more.push(listed(elem, ','));
  return [`${verb} ${kind} ${place}`, ...more].join(' | ');
}

function only(words: Words | Command): [string, Json] {
  const [entry, ...others] = Object.entries(words);
  if (entry === undefined || others.length > 0) throw new Error(`not one word: ${JSON.stringify(words)}`);
  return entry;
}

function listed(value: Json, mark: ',' | '.'): string {
  const parts = Array.isArray(value) ? value.map(printedValue) : [printedValue(value)];
  return parts.join(mark === ',' ? ', ' : ' . ');
}

const operators: Words = { '==': '', '!=': 'not ', in: 'in ' };

const statements: Readonly<Record<string, (words: Words) => string>> = {
  match: ({ op, left, right }) => {
    const [value, compared] = [printedValue(left), known(operators, op)];
    const isMasked = value.includes('&') && typeof right === 'number';
    return `${value} ${compared}${isMasked ? hexOf(right) : printedValue(right)}`;
  },
  vmap: ({ key, data }) => `${printedValue(key)} vmap ${printedValue(data)}`,
  jump: ({ target }) => `jump ${target}`,
  goto: ({ target }) => `goto ${target}`,
  accept: () => 'accept',
  drop: () => 'drop',
  mangle: ({ key, value }) => `${printedValue(key)} becomes ${printedValue(value)}`,
  'ct count': ({ val, inv }) => `flows ${inv === true ? 'over' : 'up to'} ${val}`,
  limit: ({ rate, burst, per, inv }) =>
    `rate ${inv === true ? 'over' : 'up to'} ${rate} a ${per}, burst ${burst}`,
  dnat: ({ family, addr, port }) => `dnat ${family} to ${addr} port ${port}`,
  masquerade: (words) => (words === null ? 'masquerade' : `masquerade to ${printedValue(words.port)}`),
};

function printedStatement(statement: Words): string {
  const [word, words] = only(statement);
  return known(statements, word)(words as Words);
}

const values: Readonly<Record<string, (words: Json) => string>> = {
  payload: (words) => {
    const { protocol, field, base, offset, len } = words as Words;
    return base === undefined ? `${protocol} ${field}` : `${base},${offset},${len}`;
  },
  meta: (words) => `meta ${(words as Words).key}`,
  ct: (words) => ['ct', (words as Words).dir, (words as Words).key].filter((word) => word).join(' '),
  fib: (words) => `fib ${(words as Words).flags} ${(words as Words).result}`,
  concat: (words) => listed(words, '.'),
  range: (words) => (words as Json[]).map(printedValue).join('-'),
  prefix: (words) => `${(words as Words).addr}/${(words as Words).len}`,
  set: (words) => `{ ${listed(words, ',')} }`,
  '&': (words) => {
    const [value, mask] = words as [Json, Json];
    return `${printedValue(value)} & ${Array.isArray(mask) ? mask.join('+') : printedValue(mask)}`;
  },
};

function printedValue(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  // Ports and counts as they are; marks, masks and addresses by their octets.
  if (typeof value === 'number') return Math.abs(value) < 65_536 ? String(value) : hexOf(value);
  if (Array.isArray(value)) return `${printedValue(value[0])} : ${printedStatement(value[1] as Words)}`;
  const [word, words] = only(value as Words);
  return known(values, word)(words);
}

const hexOf = (value: number) => `0x${value.toString(16)}`;

function known<T>(words: Readonly<Record<string, T>>, word: unknown): T {
  const found = words[String(word)];
  if (found === undefined) throw new Error(`no word of this printer: ${word}`);
  return found;
}
