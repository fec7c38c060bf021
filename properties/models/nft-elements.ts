/** Keys of set elements: what makes two the same, and which ranges of an interval set overlap. */
import { addressNumber, intervalOf } from '../oracles/addresses/address-number.ts';
import type { Fields, Json } from './nft-state.ts';

const members = (value: Json): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** Without timeout and comment: `{elem: {val, timeout}}` is its `val`. */
export function keyOf(elem: Json): Json {
  const { elem: wrapped } = members(elem);
  return wrapped === undefined ? elem : (members(wrapped).val ?? null);
}

export function keyText(elem: Json): string {
  return JSON.stringify(keyOf(elem));
}

interface Part {
  readonly kind: string;
  readonly first: bigint;
  readonly last: bigint;
}

export type ParsedKey = readonly Part[];

const known = new WeakMap<object, ParsedKey>();

/** The ranges of a key, one for each field. */
export function parsedKey(elem: Json): ParsedKey {
  if (typeof elem !== 'object' || elem === null) return [partOf(elem)];
  const before = known.get(elem);
  if (before !== undefined) return before;
  const { concat } = members(keyOf(elem));
  const parts = Array.isArray(concat) ? (concat as readonly Json[]) : [keyOf(elem)];
  const parsed = parts.map(partOf);
  known.set(elem, parsed);
  return parsed;
}

function partOf(value: Json): Part {
  const { range, prefix } = members(value);
  if (Array.isArray(range)) {
    const [first, last] = (range as readonly Json[]).map((end) => partOf(end));
    return { kind: first?.kind ?? '', first: first?.first ?? 0n, last: last?.last ?? 0n };
  }
  if (prefix !== undefined) {
    const { addr, len } = members(prefix);
    const { family, first, last } = intervalOf(`${String(addr)}/${String(len)}`);
    return { kind: `address ${family}`, first, last };
  }
  if (typeof value === 'number') return { kind: 'number', first: BigInt(value), last: BigInt(value) };
  const text = String(value);
  if (!/^[0-9a-f:.]*[:.][0-9a-f:.]*$/i.test(text)) return { kind: `name ${text}`, first: 0n, last: 0n };
  const { family, value: number } = addressNumber(text);
  return { kind: `address ${family}`, first: number, last: number };
}

/** Every field has a value in common. */
export function overlaps(a: ParsedKey, b: ParsedKey): boolean {
  return a.every((part, at) => {
    const other = b[at];
    return other?.kind === part.kind && part.first <= other.last && other.first <= part.last;
  });
}
