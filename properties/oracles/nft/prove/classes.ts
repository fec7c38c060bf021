/**
 * Values of a field that no question tells apart are one class, and one of them stands for all. A field then
 * needs as many variables as it has classes, not bits; what is decided is the same.
 */
import { always, type Bdd, Bdds, never } from '../../bdd/bdd.ts';
import { type Bits, constantNumber } from '../../bdd/bit-vector.ts';
import type { RecordedField } from './recording.ts';

/** Inclusive. */
export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/** One value of each class, in an order that keeps classes together that answer alike. */
export function representatives(width: number, predicates: readonly (readonly Interval[])[]): bigint[] {
  const changes = new Map<bigint, number[]>();
  const end = 1n << BigInt(width);
  const change = (at: bigint, predicate: number) => {
    const list = changes.get(at);
    if (list === undefined) changes.set(at, [predicate]);
    else list.push(predicate);
  };
  predicates.forEach((intervals, i) => {
    for (const { first, last } of intervals) {
      change(first, i);
      if (last + 1n < end) change(last + 1n, ~i);
    }
  });
  const found = new Map<string, bigint>();
  const active = new Map<number, number>();
  const starts = [...changes.keys()].sort((a, b) => (a < b ? -1 : 1));
  for (const start of starts[0] === 0n ? starts : [0n, ...starts]) {
    for (const predicate of changes.get(start) ?? []) {
      const name = predicate < 0 ? ~predicate : predicate;
      const depth = (active.get(name) ?? 0) + (predicate < 0 ? -1 : 1);
      if (depth === 0) active.delete(name);
      else active.set(name, depth);
    }
    const signature = [...active.keys()].sort((a, b) => a - b).join();
    if (!found.has(signature)) found.set(signature, start);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

/** A field is asked what the dry run was not asked: its classes may not tell. */
export class Unrecorded extends Error {}

function questionKey(intervals: readonly Interval[]): string {
  return intervals.map(({ first, last }) => `${first}-${last}`).join();
}

interface Coded {
  /** What was asked in the dry run. */
  readonly asked: ReadonlySet<string>;
  readonly variables: readonly Bdd[];
  /** By value, ascending, with the number of the class. */
  readonly sorted: readonly (readonly [value: bigint, index: number])[];
}

/** Diagrams in which the questions of coded fields are answered from their classes. */
export class CodedBdds extends Bdds {
  readonly #coded = new Map<string, Coded>();

  /** The bits of a field, as functions of the variables that number its classes. */
  code(width: number, { predicates }: RecordedField): Bdd[] {
    const values = representatives(width, predicates);
    const count = Math.max(1, Math.ceil(Math.log2(values.length)));
    const variables = Array.from({ length: count }, () => this.variable());
    const bits = Array.from({ length: width }, (_, bit) => {
      const shift = BigInt(width - 1 - bit);
      return this.#function(
        variables,
        0,
        0,
        (index) => (((values[Math.min(index, values.length - 1)] as bigint) >> shift) & 1n) === 1n,
      );
    });
    const sorted = values
      .map((value, index) => [value, index] as const)
      .sort((a, b) => (a[0] < b[0] ? -1 : 1));
    const asked = new Set(predicates.map(questionKey));
    this.#coded.set(bits.join(), { asked, variables, sorted: padded(sorted, values.length, 1 << count) });
    return bits;
  }

  /** The diagram of a function of the class number. */
  #function(
    variables: readonly Bdd[],
    depth: number,
    prefix: number,
    holds: (index: number) => boolean,
  ): Bdd {
    if (depth === variables.length) return holds(prefix) ? always : never;
    const low = this.#function(variables, depth + 1, prefix << 1, holds);
    const high = this.#function(variables, depth + 1, (prefix << 1) | 1, holds);
    return this.ite(variables[depth] as Bdd, high, low);
  }

  override equal(a: Bits, b: Bits): Bdd | null {
    const value = constantNumber(b);
    if (value !== null) return this.listed(a, [{ first: value, last: value }]);
    const other = constantNumber(a);
    return other === null ? this.#bitwise(a, b) : this.listed(b, [{ first: other, last: other }]);
  }

  override less(a: Bits, b: Bits): Bdd | null {
    const right = constantNumber(b);
    if (right !== null) return right === 0n ? never : this.listed(a, [{ first: 0n, last: right - 1n }]);
    const left = constantNumber(a);
    const ones = (1n << BigInt(b.length)) - 1n;
    if (left === null) return this.#bitwise(a, b);
    return left === ones ? never : this.listed(b, [{ first: left + 1n, last: ones }]);
  }

  override within(a: Bits, first: Bits, last: Bits): Bdd | null {
    const range = { first: constantNumber(first), last: constantNumber(last) };
    if (range.first === null || range.last === null) return this.#bitwise(a, first, last);
    return this.listed(a, range.first > range.last ? [] : [{ first: range.first, last: range.last }]);
  }

  /** No short way; and none at all for a coded field, whose bits are those of one value of each class. */
  #bitwise(...vectors: readonly Bits[]): null {
    if (vectors.some((vector) => this.#coded.has(vector.join())))
      throw new Unrecorded('a comparison of fields');
    return null;
  }

  override listed(a: Bits, intervals: readonly Interval[]): Bdd | null {
    const coded = this.#coded.get(a.join());
    if (coded === undefined) return null;
    if (!coded.asked.has(questionKey(intervals)))
      throw new Unrecorded(`a question about ${intervals.length} ranges`);
    const classes: number[] = [];
    for (const { first, last } of intervals) {
      for (let i = lowerBound(coded.sorted, first); i < coded.sorted.length; i += 1) {
        const [value, index] = coded.sorted[i] as readonly [bigint, number];
        if (value > last) break;
        classes.push(index);
      }
    }
    return this.#oneOf(
      coded.variables,
      classes.sort((x, y) => x - y),
    );
  }

  /** The class number is one of these, ascending. */
  #oneOf(variables: readonly Bdd[], classes: readonly number[]): Bdd {
    const part = (depth: number, base: number, from: number, to: number): Bdd => {
      if (from === to) return never;
      const size = 1 << (variables.length - depth);
      if (size === 1) return always;
      const middle = base + size / 2;
      let split = from;
      while (split < to && (classes[split] as number) < middle) split += 1;
      return this.ite(
        variables[depth] as Bdd,
        part(depth + 1, middle, split, to),
        part(depth + 1, base, from, split),
      );
    };
    return part(0, 0, 0, classes.length);
  }
}

/** Numbers beyond the last class stand for it as well. */
function padded(
  sorted: readonly (readonly [bigint, number])[],
  classes: number,
  numbers: number,
): (readonly [bigint, number])[] {
  const last = classes - 1;
  return sorted.flatMap(([value, index]) =>
    index === last
      ? Array.from({ length: numbers - last }, (_, i) => [value, last + i] as const)
      : [[value, index] as const],
  );
}

function lowerBound(sorted: readonly (readonly [bigint, number])[], value: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as readonly [bigint, number])[0] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
