/** What each expression does to the registers, the verdict and the packet: as net/netfilter/nft_*.c does it. */
import { always, type Bdd, never } from '../../bdd/bdd.ts';
import { type Bits, constantBits, equalBits, lessBits, withinBits } from '../../bdd/bit-vector.ts';
import type { Expression } from '../ruleset.ts';
import { loadCt, setCt } from './ct.ts';
import { runMatch, runTarget } from './extensions.ts';
import { loadFib } from './fib.ts';
import { runLookup } from './lookup.ts';
import { loadMeta, setMeta } from './meta.ts';
import { translate } from './nat.ts';
import { loadPayload, writePayload } from './payload.ts';
import { hostOrder, type RuleRun } from './rule-run.ts';

type Kind = Expression['kind'];
type Of<K extends Kind> = Extract<Expression, { readonly kind: K }>;
type Evaluators = { readonly [K in Kind]: (run: RuleRun, expression: Of<K>) => void };

/** What the oracle understands, by kind; the rest is `unknown` and has no verdict. */
const evaluators: Evaluators = {
  payload: loadPayload,
  'payload-set': writePayload,
  meta: loadMeta,
  'meta-set': setMeta,
  ct: loadCt,
  'ct-set': setCt,
  compare,
  range: (run, { from, first, last, inverted }) => {
    const inside = withinBits(
      run.bdds,
      run.load(from, first.length),
      constantBits(first),
      constantBits(last),
    );
    run.require(inverted ? inside ^ 1 : inside);
  },
  mask: (run, { from, to, and, xor }) => {
    const masked = run.load(from, and.length).map((bit, i) => {
      const kept = bitOf(and, i) ? bit : never;
      return bitOf(xor, i) ? kept ^ 1 : kept;
    });
    run.store(to, masked);
  },
  shift,
  byteorder: (run, { length, size, from, to }) => {
    const bits = run.load(from, length);
    const swapped: Bdd[] = [];
    for (let i = 0; i < bits.length; i += size * 8) swapped.push(...hostOrder(bits.slice(i, i + size * 8)));
    run.store(to, swapped);
  },
  constant: (run, { to, value }) => run.store(to, constantBits(value)),
  verdict: (run, { verdict }) => run.conclude(verdict, always),
  lookup: (run, lookup) => runLookup(run, lookup, evaluate),
  fib: loadFib,
  exthdr: loadExtension,
  nat: translate,
  masquerade: translate,
  redirect: translate,
  reject: (run) => run.conclude({ code: 'drop' }, always),
  notrack,
  queue: (run) => run.conclude({ code: 'queue' }, always),
  either: (run, { name }) => run.require(run.choices.either(name)),
  effect: () => undefined,
  match: runMatch,
  target: runTarget,
  unknown: (run, { name }) => run.refuse(name),
};

/** Kinds of expressions that have a meaning here. */
export const understoodKinds = Object.keys(evaluators).filter((kind) => kind !== 'unknown');

export function evaluate(run: RuleRun, expression: Expression): void {
  const evaluator = evaluators[expression.kind] as (run: RuleRun, expression: Expression) => void;
  evaluator(run, expression);
}

function bitOf(bytes: readonly number[], index: number): boolean {
  return (((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1) === 1;
}

function compare(run: RuleRun, { op, from, value }: Of<'compare'>): void {
  const { bdds } = run;
  const left = run.load(from, value.length);
  const right = constantBits(value);
  switch (op) {
    case 'eq':
      run.require(equalBits(bdds, left, right));
      return;
    case 'ne':
      run.require(equalBits(bdds, left, right) ^ 1);
      return;
    case 'lt':
      run.require(lessBits(bdds, left, right));
      return;
    case 'ge':
      run.require(lessBits(bdds, left, right) ^ 1);
      return;
    case 'gt':
      run.require(lessBits(bdds, right, left));
      return;
    case 'le':
      run.require(lessBits(bdds, right, left) ^ 1);
      return;
  }
}

/** Words are numbers of the host; the first word is the most significant. */
function shift(run: RuleRun, { way, by, length, from, to }: Of<'shift'>): void {
  const whole = Math.ceil(length / 4) * 4;
  const words = swapWords(run.load(from, whole));
  const zeros: Bdd[] = new Array(by).fill(never);
  const moved =
    way === 'left' ? [...words.slice(by), ...zeros] : [...zeros, ...words.slice(0, words.length - by)];
  run.store(to, swapWords(moved));
}

function swapWords(bits: Bits): Bdd[] {
  const swapped: Bdd[] = [];
  for (let i = 0; i < bits.length; i += 32) swapped.push(...hostOrder(bits.slice(i, i + 32)));
  return swapped;
}

/** Before conntrack's lookup only: afterwards the packet already has its connection. */
function notrack(run: RuleRun): void {
  const { packet, bdds } = run;
  if (packet.tracked === null) packet.untracked = bdds.or(packet.untracked, run.reach);
}

/** IPv6 extension headers: whether they are there. Their fields, and options of TCP and IPv4, are not read. */
function loadExtension(run: RuleRun, { op, type, present, to }: Of<'exthdr'>): void {
  if (op !== 'ipv6' || !present) run.refuse(`exthdr ${op} ${type}`);
  const { packet } = run;
  if (packet.family !== 6) {
    run.require(never);
    return;
  }
  const there = packet.extensions === null ? null : (packet.extensions.get(type) ?? never);
  if (there === null) run.refuse(`exthdr ${op} ${type} of a packet whose extension headers are not known`);
  run.store(to, [never, never, never, never, never, never, never, there]);
}
