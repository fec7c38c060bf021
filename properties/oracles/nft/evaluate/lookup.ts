/** Lookups in sets and maps: intervals, concatenations, verdict maps, the catch-all element. */
import { always, type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, equalBits, withinBits } from '../../bdd/bit-vector.ts';
import type { Bytes, Expression, NftSet, SetElement } from '../ruleset.ts';
import type { RuleRun } from './rule-run.ts';

type Lookup = Extract<Expression, { readonly kind: 'lookup' }>;
type Evaluate = (run: RuleRun, expression: Expression) => void;

/** @param evaluate for the expressions that elements have of their own */
export function runLookup(run: RuleRun, { set: name, from, inverted, to }: Lookup, evaluate: Evaluate): void {
  const set = run.table.sets.get(name);
  if (set === undefined) run.refuse(`lookup in a set that is not there, ${name}`);
  if (set.dynamic) run.refuse(`lookup in set ${name}, which earlier packets fill`);
  if (set.holds === 'objects') run.refuse(`lookup in a map of objects, ${name}`);
  const { bdds } = run;
  const key = run.load(from, set.keyBytes);
  const whole = isPlain(set) ? membership(bdds, set, key) : null;
  const matches = whole === null ? matchesOf(bdds, set, key) : set.elements.map(() => never);
  const listed = whole ?? bdds.any(matches);
  const found = set.catchAll === null ? listed : always;
  const hits: [SetElement, Bdd][] = set.elements.map((element, i) => [element, matches[i] as Bdd]);
  if (set.catchAll !== null) hits.push([set.catchAll, listed ^ 1]);
  run.require(inverted ? found ^ 1 : found);
  if (!inverted) limitElements(run, hits, evaluate);
  if (to === 'verdict') {
    for (const [{ verdict }, when] of hits) if (verdict !== null) run.conclude(verdict, when);
  } else if (to !== null) {
    run.store(to, mappedValue(bdds, hits));
  }
}

/** Which element matches makes no difference. */
function isPlain({ holds, fieldBytes, elements }: NftSet): boolean {
  return (
    holds === 'keys' &&
    fieldBytes.length === 1 &&
    elements.every(({ expressions }) => expressions.length === 0)
  );
}

function membership(bdds: Bdds, { elements }: NftSet, key: Bits): Bdd | null {
  if (key.every((bit) => bit <= never)) return null;
  const number = (bytes: Bytes) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  return bdds.listed(
    key,
    elements.map(({ from, to }) => ({ first: number(from), last: number(to) })),
  );
}

/** Elements with a limit or quota of their own pass or not, as those do. */
function limitElements(run: RuleRun, hits: readonly [SetElement, Bdd][], evaluate: Evaluate): void {
  for (const [{ expressions }, when] of hits) {
    if (expressions.length === 0) continue;
    const others = run.bdds.and(run.reach, when ^ 1);
    run.require(when);
    for (const expression of expressions) evaluate(run, expression);
    run.reach = run.bdds.or(run.reach, others);
  }
}

function mappedValue(bdds: Bdds, hits: readonly [SetElement, Bdd][]): Bdd[] {
  const width = (hits.find(([{ value }]) => value !== null)?.[0].value?.length ?? 4) * 8;
  const terms: Bdd[][] = Array.from({ length: width }, () => []);
  for (const [{ value }, when] of hits) {
    constantBits(value ?? []).forEach((bit, i) => {
      if (bit === always) terms[i]?.push(when);
    });
  }
  return terms.map((term) => bdds.any(term));
}

/** Sets are asked again and again with the same field: what each element says of a key is kept. */
const known = new WeakMap<Bdds, WeakMap<NftSet, Map<string, readonly Bdd[]>>>();
const maxKept = 64;

function matchesOf(bdds: Bdds, set: NftSet, key: Bits): readonly Bdd[] {
  if (key.every((bit) => bit <= never)) return matchAll(bdds, set, key);
  const sets = known.get(bdds) ?? new WeakMap<NftSet, Map<string, readonly Bdd[]>>();
  known.set(bdds, sets);
  const keys = sets.get(set) ?? new Map<string, readonly Bdd[]>();
  sets.set(set, keys);
  const id = key.join();
  const before = keys.get(id);
  if (before !== undefined) return before;
  const matches = matchAll(bdds, set, key);
  if (keys.size < maxKept) keys.set(id, matches);
  return matches;
}

function matchAll(bdds: Bdds, set: NftSet, key: Bits): Bdd[] {
  return set.elements.map((element) => matchElement(bdds, set, element, key));
}

function matchElement(bdds: Bdds, { fieldBytes }: NftSet, { from, to }: SetElement, key: Bits): Bdd {
  let match: Bdd = always;
  let offset = 0;
  for (const bytes of fieldBytes) {
    const field = key.slice(offset * 8, (offset + bytes) * 8);
    match = bdds.and(match, inRange(bdds, field, from.slice(offset, offset + bytes), to.slice(offset)));
    if (match === never) return never;
    offset += Math.ceil(bytes / 4) * 4;
  }
  return match;
}

function inRange(bdds: Bdds, field: Bits, from: Bytes, to: Bytes): Bdd {
  const first = constantBits(from);
  if (from.every((byte, i) => byte === to[i])) return equalBits(bdds, field, first);
  return withinBits(bdds, field, first, constantBits(to.slice(0, from.length)));
}
