/**
 * Sets of numbers of a fixed width, such as addresses, as decision diagrams: the first variable is the most significant
 * bit. Invariant: two sets are the same number exactly when they hold the same numbers.
 */
import { always, type Bdd, Bdds, never } from '../../oracles/bdd/bdd.ts';

/** A set, by number; of one `NumberSets` only. */
export type NumberSet = Bdd;

/** A proof that needs more nodes is told so. */
const maxNodes = 1 << 22;

export class NumberSets extends Bdds {
  readonly never: NumberSet = never;
  readonly always: NumberSet = always;
  readonly width: number;
  readonly bits: readonly NumberSet[];

  constructor(width: number) {
    super(maxNodes);
    this.width = width;
    this.bits = Array.from({ length: width }, () => this.variable());
  }

  /** The numbers in which the bit is 1; 0 is the most significant one. */
  bit(index: number): NumberSet {
    const bit = this.bits[index];
    if (bit === undefined) throw new RangeError(`no bit ${index} of ${this.width}`);
    return bit;
  }

  holds(set: NumberSet, value: bigint): boolean {
    let at = set;
    while (at > never) {
      const level = this.levelOf(at);
      at = this.cofactor(at, level, (value >> this.#place(level)) & 1n ? 1 : 0);
    }
    return at === always;
  }

  /** The exponent of the bit. */
  #place(bit: number): bigint {
    return BigInt(this.width - 1 - bit);
  }

  size(set: NumberSet): bigint {
    const known = new Map<NumberSet, bigint>();
    // Of the bits from `level` on.
    const from = (at: NumberSet, level: number): bigint => {
      if (at === never) return 0n;
      const top = at === always ? this.width : this.levelOf(at);
      let size = known.get(at);
      if (size === undefined) {
        size =
          at === always
            ? 1n
            : from(this.cofactor(at, top, 0), top + 1) + from(this.cofactor(at, top, 1), top + 1);
        known.set(at, size);
      }
      return size << BigInt(top - level);
    };
    return from(set, 0);
  }

  /** null: the set is empty. */
  lowest(set: NumberSet): bigint | null {
    if (set === never) return null;
    let value = 0n;
    for (let at = set; at > never; ) {
      const level = this.levelOf(at);
      const low = this.cofactor(at, level, 0);
      if (low === never) value |= 1n << this.#place(level);
      at = low === never ? this.cofactor(at, level, 1) : low;
    }
    return value;
  }

  /** Ascending, and none touches the next. As many as there are: for sets of few intervals. */
  intervals(set: NumberSet): { readonly first: bigint; readonly last: bigint }[] {
    const found: { first: bigint; last: bigint }[] = [];
    const walk = (at: NumberSet, level: number, first: bigint) => {
      if (at === never) return;
      if (at === always) {
        const last = first + (1n << BigInt(this.width - level)) - 1n;
        const before = found.at(-1);
        if (before !== undefined && before.last + 1n === first) before.last = last;
        else found.push({ first, last });
        return;
      }
      walk(this.cofactor(at, level, 0), level + 1, first);
      walk(this.cofactor(at, level, 1), level + 1, first + (1n << this.#place(level)));
    };
    walk(set, 0, 0n);
    return found;
  }
}
