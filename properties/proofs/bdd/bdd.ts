/**
 * Reduced ordered binary decision diagrams: sets of bit strings, and the operations on them.
 * Invariant: hash-consed and reduced, so that two nodes are the same number exactly when they are the same
 * set. Nodes are never freed; their number is bounded.
 */
import { CodedError } from '#reference/base/coded-error.ts';

/** A set of assignments, by number; of one `Bdd` only. */
export type Node = number;

const wordsPerNode = 3;
const cacheBits = 18;
const cacheMask = (1 << cacheBits) - 1;

export class Bdd {
  readonly never: Node = 0;
  readonly always: Node = 1;
  readonly variables: number;
  readonly #maxNodes: number;
  /** Variable, low child, high child of each node. */
  #words: Int32Array;
  #count = 2;
  /** Open addressing by hash; 0 is an empty place. */
  #table: Int32Array;
  /** Operands and result of `ite`, direct-mapped: an entry that is overwritten is computed again. */
  readonly #cache = new Int32Array(4 << cacheBits);

  /** Variables are numbered from 0; a lower number stands nearer to the root. */
  constructor(variables: number, maxNodes = 4_000_000) {
    this.variables = variables;
    this.#maxNodes = maxNodes;
    this.#words = new Int32Array(wordsPerNode << 12);
    this.#table = new Int32Array(1 << 13);
    this.#words[0] = variables;
    this.#words[wordsPerNode] = variables;
    // No triple of operands is all −1, so that an empty entry answers nothing.
    this.#cache.fill(-1);
  }

  /** Nodes made so far, the two constants included. */
  get nodes(): number {
    return this.#count;
  }

  #word(node: Node, at: number): number {
    return this.#words[node * wordsPerNode + at] as number;
  }

  /** The assignments in which the variable is 1. */
  variable(index: number): Node {
    if (!(index >= 0 && index < this.variables)) throw new RangeError(`no variable ${index}`);
    return this.#make(index, this.never, this.always);
  }

  not(operand: Node): Node {
    return this.ite(operand, this.never, this.always);
  }

  and(left: Node, right: Node): Node {
    return this.ite(left, right, this.never);
  }

  or(left: Node, right: Node): Node {
    return this.ite(left, this.always, right);
  }

  xor(left: Node, right: Node): Node {
    return this.ite(left, this.not(right), right);
  }

  /** If-then-else: (condition ∧ then) ∨ (¬condition ∧ otherwise). Every operation is one. */
  ite(condition: Node, then: Node, otherwise: Node): Node {
    if (condition === this.always || then === otherwise) return then;
    if (condition === this.never) return otherwise;
    if (then === this.always && otherwise === this.never) return condition;
    const slot = (mix(condition, then, otherwise) & cacheMask) * 4;
    const cache = this.#cache;
    if (cache[slot] === condition && cache[slot + 1] === then && cache[slot + 2] === otherwise) {
      return cache[slot + 3] as number;
    }
    const top = Math.min(this.#word(condition, 0), this.#word(then, 0), this.#word(otherwise, 0));
    const half = (node: Node, side: 1 | 2) => (this.#word(node, 0) === top ? this.#word(node, side) : node);
    const low = this.ite(half(condition, 1), half(then, 1), half(otherwise, 1));
    const high = this.ite(half(condition, 2), half(then, 2), half(otherwise, 2));
    const result = this.#make(top, low, high);
    cache[slot] = condition;
    cache[slot + 1] = then;
    cache[slot + 2] = otherwise;
    cache[slot + 3] = result;
    return result;
  }

  /** The one node of this variable and these children. */
  #make(variable: number, low: Node, high: Node): Node {
    if (low === high) return low;
    const words = this.#words;
    const mask = this.#table.length - 1;
    let place = mix(variable, low, high) & mask;
    for (let node = this.#table[place]; node !== 0; node = this.#table[place]) {
      const at = (node as number) * wordsPerNode;
      if (words[at] === variable && words[at + 1] === low && words[at + 2] === high) return node as number;
      place = (place + 1) & mask;
    }
    const node = this.#count;
    if (node >= this.#maxNodes) throw tooLarge(this.#maxNodes);
    this.#count += 1;
    if (this.#count * wordsPerNode > words.length || this.#count * 2 > this.#table.length) this.#grow();
    this.#words.set([variable, low, high], node * wordsPerNode);
    this.#insert(node);
    return node;
  }

  #insert(node: Node): void {
    const mask = this.#table.length - 1;
    let place = mix(this.#word(node, 0), this.#word(node, 1), this.#word(node, 2)) & mask;
    while (this.#table[place] !== 0) place = (place + 1) & mask;
    this.#table[place] = node;
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#table = new Int32Array(this.#table.length * 2);
    // The newest node is not written yet: whoever grows inserts it.
    for (let node = 2; node < this.#count - 1; node++) this.#insert(node);
  }

  /** Whether the assignment is in the set. */
  holds(node: Node, bit: (variable: number) => boolean): boolean {
    let at = node;
    while (at > this.always) at = this.#word(at, bit(this.#word(at, 0)) ? 2 : 1);
    return at === this.always;
  }

  /** How many assignments of all variables are in the set. */
  size(node: Node): bigint {
    const known = new Map<Node, bigint>();
    // Of the variables from the node's own on.
    const below = (at: Node): bigint => {
      if (at <= this.always) return BigInt(at);
      let size = known.get(at);
      if (size === undefined) {
        size = this.#scaled(at, 1, below) + this.#scaled(at, 2, below);
        known.set(at, size);
      }
      return size;
    };
    return below(node) << BigInt(this.#word(node, 0));
  }

  #scaled(node: Node, side: 1 | 2, below: (at: Node) => bigint): bigint {
    const child = this.#word(node, side);
    return below(child) << BigInt(this.#word(child, 0) - this.#word(node, 0) - 1);
  }

  /** The lowest assignment of the set, its first bit most significant; null when it is empty. */
  lowest(node: Node): bigint | null {
    if (node === this.never) return null;
    let value = 0n;
    for (let at = node; at > this.always; ) {
      const low = this.#word(at, 1);
      if (low === this.never) value |= 1n << BigInt(this.variables - 1 - this.#word(at, 0));
      at = low === this.never ? this.#word(at, 2) : low;
    }
    return value;
  }

  /**
   * The set as ascending intervals that touch nowhere, of assignments read as numbers. As many as there
   * are: for sets of few intervals.
   */
  intervals(node: Node): { readonly first: bigint; readonly last: bigint }[] {
    const found: { first: bigint; last: bigint }[] = [];
    const walk = (at: Node, variable: number, first: bigint) => {
      if (at === this.never) return;
      if (at === this.always) {
        const last = first + (1n << BigInt(this.variables - variable)) - 1n;
        const before = found.at(-1);
        if (before !== undefined && before.last + 1n === first) before.last = last;
        else found.push({ first, last });
        return;
      }
      const own = this.#word(at, 0) === variable;
      const half = 1n << BigInt(this.variables - variable - 1);
      walk(own ? this.#word(at, 1) : at, variable + 1, first);
      walk(own ? this.#word(at, 2) : at, variable + 1, first + half);
    };
    walk(node, 0, 0n);
    return found;
  }
}

function mix(a: number, b: number, c: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function tooLarge(maxNodes: number): CodedError {
  return new CodedError(
    'proof-too-large',
    `a proof needs more than ${maxNodes} BDD nodes`,
    'prove it for fewer policies or of a smaller scope, or raise the bound where the Bdd is made',
  );
}
