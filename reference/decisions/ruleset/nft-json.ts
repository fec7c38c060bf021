/** The words of libnftables-json(5) that the ruleset is written in: builders of expressions and commands. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface Statement {
  readonly [key: string]: Json;
}

/** One command of a transaction: `{ add: { rule: … } }`. */
export interface Command {
  readonly [verb: string]: { readonly [object: string]: Json };
}

/** Fed to libnftables as it is: done whole, or not at all. */
export interface Transaction {
  readonly nftables: readonly Command[];
}

export const payload = (protocol: string, field: string): Json => ({ payload: { protocol, field } });
/** Octets by their place: `base` ll, nh or th; offset and length in bits. */
export const raw = (base: 'll' | 'nh' | 'th', offset: number, len: number): Json => ({
  payload: { base, offset, len },
});
export const meta = (key: string): Json => ({ meta: { key } });
export const ct = (key: string): Json => ({ ct: { key } });
export const concat = (...parts: Json[]): Json => ({ concat: parts });
export const inSet = (name: string): Json => `@${name}`;
export const range = (first: Json, last: Json): Json => ({ range: [first, last] });
export const prefix = (addr: string, len: number): Json => ({ prefix: { addr, len } });

export function match(left: Json, right: Json, op: '==' | '!=' | 'in' = '=='): Statement {
  return { match: { op, left, right } };
}
export const vmap = (key: Json, map: string): Statement => ({ vmap: { key, data: `@${map}` } });
export const jump = (target: string): Statement => ({ jump: { target } });
export const goTo = (target: string): { readonly goto: { readonly target: string } } => ({
  goto: { target },
});
export const accept: Statement = { accept: null };
export const drop: Statement = { drop: null };
export const setMark = (value: number): Statement => ({ mangle: { key: ct('mark'), value } });
/** Counts the flows that came here and still stand (`ct count over`). */
export const flowsOver = (count: number): Statement => ({ 'ct count': { val: count, inv: true } });
/** A token bucket: matches what comes faster (`limit rate over`). */
export const rateOver = (perSecond: number, burst: number): Statement => ({
  limit: { rate: perSecond, burst, per: 'second', inv: true },
});
