/**
 * A dry run that notes which questions are asked of each header field. Nothing is decided: what is not a
 * constant is unknown, so that every rule is visited and no question is missed.
 */
import { type Bdd, Bdds } from '../../bdd/bdd.ts';
import { type Bits, constantNumber } from '../../bdd/bit-vector.ts';
import type { Interval } from './classes.ts';

/** Some function of the packet; which one does not matter here. */
const somehow: Bdd = 2;

interface Place {
  readonly field: string;
  readonly bit: number;
}

export interface RecordedField {
  readonly width: number;
  /** Each is the set of values for which one question is answered with yes. */
  readonly predicates: (readonly Interval[])[];
  /** Asked in a way that is no range of values: the field keeps all its bits. */
  exact: boolean;
}

export class Recording extends Bdds {
  readonly fields = new Map<string, RecordedField>();
  /** By half the number of the edge; a bit may come from several fields. */
  readonly #places: (readonly Place[])[] = [[], []];
  readonly #merged = new Map<string, Bdd>();

  override variable(): Bdd {
    return somehow;
  }

  /** The bits of a field that is to be coded by its classes. */
  field(name: string, width: number): Bdd[] {
    this.fields.set(name, { width, predicates: [], exact: false });
    return Array.from({ length: width }, (_, bit) => this.#edge([{ field: name, bit }]));
  }

  #edge(places: readonly Place[]): Bdd {
    this.#places.push(places);
    return (this.#places.length - 1) << 1;
  }

  #use(...edges: readonly Bdd[]): void {
    for (const edge of edges) {
      for (const { field } of this.#places[edge >> 1] ?? []) this.#exact(field);
    }
  }

  #exact(name: string): void {
    const field = this.fields.get(name);
    if (field !== undefined) field.exact = true;
  }

  override and(f: Bdd, g: Bdd): Bdd {
    if (f === 1 || g === 1) return 1;
    if (f === 0) return g;
    if (g === 0) return f;
    this.#use(f, g);
    return somehow;
  }

  override xor(f: Bdd, g: Bdd): Bdd {
    if (f <= 1) return f === 1 ? g : g ^ 1;
    if (g <= 1) return g === 1 ? f : f ^ 1;
    this.#use(f, g);
    return somehow;
  }

  override ite(test: Bdd, then: Bdd, otherwise: Bdd): Bdd {
    if (test === 0) return then;
    if (test === 1) return otherwise;
    this.#use(test);
    if (then === otherwise) return then;
    return this.#either(then, otherwise);
  }

  /** One or the other: what is asked of the result is asked of both. */
  #either(a: Bdd, b: Bdd): Bdd {
    if (((a | b) & 1) === 1 && ((a > 1 && a & 1) || (b > 1 && b & 1))) {
      this.#use(a, b);
      return somehow;
    }
    const places = [
      ...(a > 1 ? (this.#places[a >> 1] ?? []) : []),
      ...(b > 1 ? (this.#places[b >> 1] ?? []) : []),
    ];
    if (places.length === 0) return somehow;
    const key = [...new Set(places.map(({ field, bit }) => `${field} ${bit}`))].sort().join();
    const before = this.#merged.get(key);
    if (before !== undefined) return before;
    const unique = new Map(places.map((place) => [`${place.field} ${place.bit}`, place]));
    const made = this.#edge([...unique.values()]);
    this.#merged.set(key, made);
    return made;
  }

  override equal(a: Bits, b: Bits): Bdd | null {
    const value = constantNumber(b);
    if (value === null) return this.#unequalWays(a, b);
    return this.#ask(a, [{ first: value, last: value }]);
  }

  override less(a: Bits, b: Bits): Bdd | null {
    const right = constantNumber(b);
    const left = constantNumber(a);
    if (left !== null && right !== null) return null;
    const ones = (1n << BigInt(a.length)) - 1n;
    if (right !== null) return right === 0n ? 1 : this.#ask(a, [{ first: 0n, last: right - 1n }]);
    if (left !== null) return left === ones ? 1 : this.#ask(b, [{ first: left + 1n, last: ones }]);
    return this.#unequalWays(a, b);
  }

  override within(a: Bits, first: Bits, last: Bits): Bdd | null {
    const range = { first: constantNumber(first), last: constantNumber(last) };
    if (range.first === null || range.last === null) {
      this.#use(...a, ...first, ...last);
      return somehow;
    }
    return this.#ask(a, range.first > range.last ? [] : [{ first: range.first, last: range.last }]);
  }

  override listed(a: Bits, intervals: readonly Interval[]): Bdd | null {
    return this.#ask(a, intervals);
  }

  #unequalWays(a: Bits, b: Bits): Bdd | null {
    if (constantNumber(a) !== null) return this.equal(b, a);
    this.#use(...a, ...b);
    return somehow;
  }

  /** Notes the question for every field that the vector is, or begins with. */
  #ask(vector: Bits, intervals: readonly Interval[]): Bdd | null {
    if (vector.every((bit) => bit <= 1)) return null;
    const named = new Set(vector.flatMap((bit) => (this.#places[bit >> 1] ?? []).map(({ field }) => field)));
    for (const name of named) this.#askField(name, vector, intervals);
    return somehow;
  }

  #askField(name: string, vector: Bits, intervals: readonly Interval[]): void {
    const field = this.fields.get(name);
    if (field === undefined || field.exact) return;
    let length = 0;
    for (const [i, bit] of vector.entries()) {
      const here =
        (bit & 1) === 0 &&
        (this.#places[bit >> 1] ?? []).some((place) => place.field === name && place.bit === i);
      if (here && length === i) length += 1;
      else if (bit > 1 || here) {
        field.exact = true;
        return;
      }
    }
    // Behind the field's first bits only zeros: a prefix. Its question is one about a range of the field.
    const zeros = BigInt(vector.length - length);
    const free = BigInt(field.width - length);
    const shifted = intervals.flatMap(({ first, last }) => prefixRange(first, last, zeros, free));
    field.predicates.push(shifted);
  }
}

/** The field's values whose first bits, followed by zeros, lie in the range. */
function prefixRange(first: bigint, last: bigint, zeros: bigint, free: bigint): Interval[] {
  const unit = (1n << zeros) - 1n;
  const low = (first + unit) >> zeros;
  const high = last >> zeros;
  return low > high ? [] : [{ first: low << free, last: (high << free) | ((1n << free) - 1n) }];
}
