/**
 * Reduced ordered binary decision diagrams with complement edges: a function of boolean variables is one
 * number, and equal functions are equal numbers. Invariant: the edge to `hi` is never complemented. Nodes are never
 * freed; their number is bounded.
 */
import { CodedError } from '#reference/base/coded-error.ts';

/** An edge: twice the number of its node, plus one when it is complemented. */
export type Bdd = number;

export const always: Bdd = 0;
export const never: Bdd = 1;

const terminalLevel = 0x7fff_ffff;
/** Results remembered for an operation: one a node, within this. */
const mostRemembered = 1 << 18;

/** More nodes than any ruleset of some hundred rules needs; beyond it the answer is an error, never a guess. */
const mostNodes = 1 << 24;
const initialNodes = 1 << 12;

/** The latest result of a slot of operands; no key is negative. A bigger one begins empty. */
class Remembered {
  readonly mask: number;
  readonly keys: Float64Array;
  readonly others: Int32Array;
  readonly results: Int32Array;

  constructor(size: number, operands: 2 | 3) {
    this.mask = size - 1;
    this.keys = new Float64Array(size).fill(-1);
    this.others = new Int32Array(operands === 3 ? size : 0);
    this.results = new Int32Array(size);
  }
}

export class Bdds {
  /** Four words a node: level, low, high, the next node of its bucket. */
  #table = new Int32Array(4 * initialNodes);
  #capacity = initialNodes;
  #buckets = new Int32Array(2 * initialNodes).fill(-1);
  #count = 1;
  #variables = 0;
  readonly #maxNodes: number;
  #ands = new Remembered(initialNodes, 2);
  #xors = new Remembered(initialNodes, 2);
  #ites = new Remembered(initialNodes, 3);

  /** @param maxNodes at most 2^24; one more throws CodedError `proof-too-large` */
  constructor(maxNodes = mostNodes) {
    this.#maxNodes = Math.min(maxNodes, mostNodes);
    this.#table[0] = terminalLevel;
  }

  get nodes(): number {
    return this.#count;
  }

  /** A new variable, below all that exist. */
  variable(): Bdd {
    const level = this.#variables;
    this.#variables += 1;
    return this.#node(level, never, always);
  }

  not(f: Bdd): Bdd {
    return f ^ 1;
  }

  and(f: Bdd, g: Bdd): Bdd {
    if (f === g || g === always) return f;
    if (f === always) return g;
    if (f === never || g === never || f === (g ^ 1)) return never;
    const [a, b] = f < g ? [f, g] : [g, f];
    const key = a * 0x200_0000 + b;
    const mixed = Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca6b);
    const known = this.#ands;
    const slot = (mixed ^ (mixed >>> 15)) & known.mask;
    if (known.keys[slot] === key) return known.results[slot] as Bdd;
    const level = Math.min(this.levelOf(a), this.levelOf(b));
    const low = this.and(this.cofactor(a, level, 0), this.cofactor(b, level, 0));
    const high = this.and(this.cofactor(a, level, 1), this.cofactor(b, level, 1));
    const result = this.#node(level, low, high);
    if (known === this.#ands) {
      known.keys[slot] = key;
      known.results[slot] = result;
    }
    return result;
  }

  or(f: Bdd, g: Bdd): Bdd {
    return this.and(f ^ 1, g ^ 1) ^ 1;
  }

  xor(f: Bdd, g: Bdd): Bdd {
    if (f === g) return never;
    if (f === (g ^ 1)) return always;
    if (f <= never) return f === never ? g : g ^ 1;
    if (g <= never) return g === never ? f : f ^ 1;
    const flip = (f ^ g) & 1;
    const [a, b] = f < g ? [f & ~1, g & ~1] : [g & ~1, f & ~1];
    const key = a * 0x200_0000 + b;
    const mixed = Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0xc2b2_ae35);
    const known = this.#xors;
    const slot = (mixed ^ (mixed >>> 15)) & known.mask;
    if (known.keys[slot] === key) return (known.results[slot] as Bdd) ^ flip;
    const level = Math.min(this.levelOf(a), this.levelOf(b));
    const low = this.xor(this.cofactor(a, level, 0), this.cofactor(b, level, 0));
    const high = this.xor(this.cofactor(a, level, 1), this.cofactor(b, level, 1));
    const result = this.#node(level, low, high);
    if (known === this.#xors) {
      known.keys[slot] = key;
      known.results[slot] = result;
    }
    return result ^ flip;
  }

  /** `test ? then : otherwise` */
  ite(test: Bdd, then: Bdd, otherwise: Bdd): Bdd {
    if (test === always || then === otherwise) return then;
    if (test === never) return otherwise;
    if (then <= never) return then === always ? this.or(test, otherwise) : this.and(test ^ 1, otherwise);
    if (otherwise <= never) {
      return otherwise === always ? this.or(test ^ 1, then) : this.and(test, then);
    }
    const key = test * 0x200_0000 + then;
    const mixed =
      Math.imul(test, 0x9e37_79b1) ^ Math.imul(then, 0x85eb_ca6b) ^ Math.imul(otherwise, 0xc2b2_ae35);
    const known = this.#ites;
    const slot = (mixed ^ (mixed >>> 15)) & known.mask;
    if (known.keys[slot] === key && known.others[slot] === otherwise) return known.results[slot] as Bdd;
    const level = Math.min(this.levelOf(test), this.levelOf(then), this.levelOf(otherwise));
    const part = (side: 0 | 1) =>
      this.ite(
        this.cofactor(test, level, side),
        this.cofactor(then, level, side),
        this.cofactor(otherwise, level, side),
      );
    const result = this.#node(level, part(0), part(1));
    if (known === this.#ites) {
      known.keys[slot] = key;
      known.others[slot] = otherwise;
      known.results[slot] = result;
    }
    return result;
  }

  /**
   * Shorter ways to compare vectors, for diagrams that know more about some of them than their bits.
   * null: there is none, compare bit by bit.
   */
  equal(_a: readonly Bdd[], _b: readonly Bdd[]): Bdd | null {
    return null;
  }

  less(_a: readonly Bdd[], _b: readonly Bdd[]): Bdd | null {
    return null;
  }

  within(_a: readonly Bdd[], _first: readonly Bdd[], _last: readonly Bdd[]): Bdd | null {
    return null;
  }

  /** In one of the ranges, ends included. */
  listed(_a: readonly Bdd[], _ranges: readonly { first: bigint; last: bigint }[]): Bdd | null {
    return null;
  }

  all(functions: readonly Bdd[]): Bdd {
    return this.#fold(functions, (f, g) => this.and(f, g), always);
  }

  any(functions: readonly Bdd[]): Bdd {
    return this.#fold(functions, (f, g) => this.or(f, g), never);
  }

  /** Balanced, so that the intermediate results stay small. */
  #fold(functions: readonly Bdd[], join: (f: Bdd, g: Bdd) => Bdd, neutral: Bdd): Bdd {
    let row: readonly Bdd[] = functions;
    while (row.length > 1) {
      const next: Bdd[] = [];
      for (let i = 0; i < row.length; i += 2) {
        const right = row[i + 1];
        next.push(right === undefined ? (row[i] as Bdd) : join(row[i] as Bdd, right));
      }
      row = next;
    }
    return row[0] ?? neutral;
  }

  /** One assignment that makes `f` true, by variable level; what is missing is free. null: there is none. */
  satisfy(f: Bdd): Map<number, boolean> | null {
    if (f === never) return null;
    const assignment = new Map<number, boolean>();
    let edge = f;
    while (edge > never) {
      const level = this.levelOf(edge);
      const low = this.cofactor(edge, level, 0);
      const value = low === never;
      assignment.set(level, value);
      edge = value ? this.cofactor(edge, level, 1) : low;
    }
    return assignment;
  }

  /** The value of `f` under an assignment by level; variables that it leaves out are false. */
  valueOf(f: Bdd, assignment: ReadonlyMap<number, boolean>): boolean {
    let edge = f;
    while (edge > never) {
      const level = this.levelOf(edge);
      edge = this.cofactor(edge, level, assignment.get(level) === true ? 1 : 0);
    }
    return edge === always;
  }

  /** The variable at the top of `f`, counted from 0 in the order of creation. */
  levelOf(f: Bdd): number {
    return this.#table[(f >> 1) << 2] as number;
  }

  /** `f` with the variable at `level` fixed; `level` is at or above the top of `f`. */
  cofactor(f: Bdd, level: number, side: 0 | 1): Bdd {
    const at = (f >> 1) << 2;
    if (this.#table[at] !== level) return f;
    return (this.#table[at + 1 + side] as number) ^ (f & 1);
  }

  #node(level: number, low: Bdd, high: Bdd): Bdd {
    if (low === high) return low;
    return high & 1 ? this.#intern(level, low ^ 1, high ^ 1) ^ 1 : this.#intern(level, low, high);
  }

  #intern(level: number, low: Bdd, high: Bdd): Bdd {
    const table = this.#table;
    const slot = this.#slotOf(level, low, high);
    let index = this.#buckets[slot] as number;
    while (index >= 0) {
      const at = index << 2;
      if (table[at] === level && table[at + 1] === low && table[at + 2] === high) return index << 1;
      index = table[at + 3] as number;
    }
    if (this.#count >= this.#maxNodes) throw tooLarge(this.#maxNodes);
    if (this.#count === this.#capacity) {
      this.#grow();
      return this.#intern(level, low, high);
    }
    const made = this.#count;
    this.#count += 1;
    const at = made << 2;
    table[at] = level;
    table[at + 1] = low;
    table[at + 2] = high;
    table[at + 3] = this.#buckets[slot] as number;
    this.#buckets[slot] = made;
    return made << 1;
  }

  #slotOf(level: number, low: Bdd, high: Bdd): number {
    let mixed = Math.imul(level, 0x9e37_79b1) ^ Math.imul(low, 0x85eb_ca6b) ^ Math.imul(high, 0xc2b2_ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb_352d);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    if (capacity <= mostRemembered) {
      this.#ands = new Remembered(capacity, 2);
      this.#xors = new Remembered(capacity, 2);
      this.#ites = new Remembered(capacity, 3);
    }
    const table = new Int32Array(4 * capacity);
    table.set(this.#table);
    this.#table = table;
    this.#capacity = capacity;
    this.#buckets = new Int32Array(2 * capacity).fill(-1);
    for (let index = 1; index < this.#count; index += 1) {
      const at = index << 2;
      const slot = this.#slotOf(table[at] as number, table[at + 1] as number, table[at + 2] as number);
      table[at + 3] = this.#buckets[slot] as number;
      this.#buckets[slot] = index;
    }
  }
}

function tooLarge(maxNodes: number): CodedError {
  return new CodedError(
    'proof-too-large',
    `a proof needs more than ${maxNodes} BDD nodes`,
    'prove it for fewer policies, rules or of a smaller scope, or raise the bound where the diagrams are made',
  );
}
