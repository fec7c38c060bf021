/**
 * A multibit trie over address octets: every address has exactly one leaf, found in at most one array read
 * an octet and without allocation.
 */

const fanOut = 256;

/** Leaves are small integers ≥ 0; a negative entry is the complement of a child's node number. */
export class PrefixTrie {
  #entries: Int32Array;
  #nodes: number;

  constructor(initialLeaf: number) {
    this.#entries = new Int32Array(fanOut * 16).fill(initialLeaf, 0, fanOut);
    this.#nodes = 1;
  }

  /** An independent copy: a compiled base is shared by many policies. */
  clone(): PrefixTrie {
    const copy = new PrefixTrie(0);
    copy.#entries = this.#entries.slice(0, this.#nodes * fanOut);
    copy.#nodes = this.#nodes;
    return copy;
  }

  /**
   * The leaf of the address whose octets begin at `offset`. Total when the trie is no deeper than the
   * address.
   */
  lookup(bytes: Uint8Array, offset: number): number {
    const entries = this.#entries;
    let at = offset;
    let entry = entries[bytes[at] as number] as number;
    while (entry < 0) {
      at += 1;
      entry = entries[(~entry << 8) | (bytes[at] as number)] as number;
    }
    return entry;
  }

  /** The same for octets that stand apart: the first at `offset + places[0]`, and so on. */
  lookupAt(bytes: Uint8Array, offset: number, places: readonly number[]): number {
    const entries = this.#entries;
    let depth = 0;
    let entry = entries[bytes[offset + (places[0] as number)] as number] as number;
    while (entry < 0) {
      depth += 1;
      entry = entries[(~entry << 8) | (bytes[offset + (places[depth] as number)] as number)] as number;
    }
    return entry;
  }

  /** Replaces every leaf under the prefix by `change(leaf)`. */
  paint(prefix: Uint8Array, lengthBits: number, change: (leaf: number) => number): void {
    let node = 0;
    let depth = 0;
    while (lengthBits > (depth + 1) * 8) {
      node = this.#childAt((node << 8) | (prefix[depth] as number));
      depth += 1;
    }
    const free = (depth + 1) * 8 - lengthBits;
    const first = ((prefix[depth] as number) >> free) << free;
    for (let index = first; index < first + 2 ** free; index++) this.#change((node << 8) | index, change);
  }

  /** The child node behind an entry; a leaf is split into a node full of it. */
  #childAt(position: number): number {
    const entry = this.#entries[position] as number;
    if (entry < 0) return ~entry;
    const node = this.#nodes;
    this.#nodes += 1;
    if (this.#nodes * fanOut > this.#entries.length) {
      const grown = new Int32Array(this.#entries.length * 2);
      grown.set(this.#entries);
      this.#entries = grown;
    }
    this.#entries.fill(entry, node * fanOut, (node + 1) * fanOut);
    this.#entries[position] = ~node;
    return node;
  }

  #change(position: number, change: (leaf: number) => number): void {
    const entry = this.#entries[position] as number;
    if (entry >= 0) {
      this.#entries[position] = change(entry);
      return;
    }
    for (let index = 0; index < fanOut; index++) this.#change((~entry << 8) | index, change);
  }
}
