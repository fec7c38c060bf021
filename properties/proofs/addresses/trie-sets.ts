/**
 * What a trie's own lookup answers, as sets of addresses: the lookup runs for every octet that it reads, so
 * that it is the code and the compiled entries that are described, not a description of them.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { PrefixTrie } from '#reference/decisions/pin-address/prefix-trie.ts';
import type { NumberSet, NumberSets } from './number-sets.ts';
import { attempt, Question, unknownOctets } from './questions.ts';

/** Sets of addresses by the leaf that the lookup answers; together all of them, none twice. */
export type LeafSets = ReadonlyMap<number, NumberSet>;

/** A call of the trie's code, on unknown octets. */
export type Lookup = (trie: PrefixTrie, bytes: Uint8Array) => number;

const octetValues = 256;
/** Of one lookup: a trie of 4,000 nodes. */
const maxRuns = 1_000_000;

export class TrieReader {
  /** Runs of a trie's lookup. */
  runs = 0;
  readonly #bdd: NumberSets;

  constructor(bdd: NumberSets) {
    this.#bdd = bdd;
  }

  /** The address is the `length` octets from `offset` on. */
  read(trie: PrefixTrie, lookup: Lookup, offset: number, length: number): LeafSets {
    const known = new Map<number, number>();
    const limit = this.runs + maxRuns;
    const bytes = unknownOctets(offset, length, (octet) => {
      const value = known.get(octet);
      if (value === undefined) throw new Question(String(octet));
      return value;
    });
    const explore = (): LeafSets => {
      this.runs += 1;
      if (this.runs > limit) throw tooLarge(maxRuns);
      const asked = attempt(() => lookup(trie, bytes));
      if (!(asked instanceof Question)) return new Map([[asked.result, this.#bdd.always]]);
      const octet = Number(asked.text);
      const children: LeafSets[] = [];
      for (let value = 0; value < octetValues; value++) {
        known.set(octet, value);
        children.push(explore());
      }
      known.delete(octet);
      return this.#joined(children, octet * 8);
    };
    return explore();
  }

  /** One set of leaves from those below each value of an octet, whose first bit is the variable. */
  #joined(children: readonly LeafSets[], variable: number): LeafSets {
    let level = children;
    for (let bit = 7; bit >= 0; bit--) {
      const next: LeafSets[] = [];
      for (let at = 0; at < level.length; at += 2) {
        next.push(this.#choice(variable + bit, level[at] as LeafSets, level[at + 1] as LeafSets));
      }
      level = next;
    }
    return level[0] as LeafSets;
  }

  #choice(variable: number, low: LeafSets, high: LeafSets): LeafSets {
    const { never } = this.#bdd;
    const bit = this.#bdd.bit(variable);
    const joined = new Map<number, NumberSet>();
    for (const leaf of new Set([...low.keys(), ...high.keys()])) {
      joined.set(leaf, this.#bdd.ite(bit, high.get(leaf) ?? never, low.get(leaf) ?? never));
    }
    return joined;
  }
}

export function tooLarge(maxRuns: number): CodedError {
  return new CodedError(
    'proof-too-large',
    `a decision asks for more than ${maxRuns.toLocaleString('en-US')} runs of a proof`,
    'the code reads octets by themselves where it used to ask a trie: let a trie answer',
  );
}
