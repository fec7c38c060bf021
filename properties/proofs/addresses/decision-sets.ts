/**
 * What the reference's pin-address decides, as sets of addresses: the compiled decision itself runs on an
 * unknown address, once for each way through it. A trie's lookup answers with every leaf that it can give;
 * which addresses give it was read from that same lookup. An octet that is read directly takes every value.
 */
import type { AddressVerdict, CompiledAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { PrefixTrie } from '#reference/decisions/pin-address/prefix-trie.ts';
import type { AddressSets } from './address-sets.ts';
import type { NumberSet, NumberSets } from './number-sets.ts';
import { attempt, Question, unknownOctets } from './questions.ts';
import { type LeafSets, type Lookup, TrieReader, tooLarge } from './trie-sets.ts';

/** Anything but 0: the decision must find the address where it is. */
const offset = 5;
/** Of one policy. */
const maxRuns = 50_000;

/** Sets of addresses by the verdict that the decision returns; together all of them, none twice. */
export type VerdictSets = ReadonlyMap<AddressVerdict, NumberSet>;

export class DecisionReader {
  readonly bdd: NumberSets;
  /** Runs of the decision. */
  runs = 0;
  readonly #length: 4 | 16;
  readonly #tries: TrieReader;
  readonly #known = new Map<PrefixTrie, Map<string, LeafSets>>();
  readonly #numbers = new Map<PrefixTrie, number>();

  constructor(bdd: NumberSets) {
    this.bdd = bdd;
    this.#length = bdd.width === 32 ? 4 : 16;
    this.#tries = new TrieReader(bdd);
  }

  /** Runs of lookups of tries. */
  get lookups(): number {
    return this.#tries.runs;
  }

  read(policy: CompiledAddressPolicy): VerdictSets {
    const verdicts = new Map<AddressVerdict, NumberSet>();
    const answers = new Map<string, number>();
    const options = new Map<string, LeafSets>();
    let asked = new Set<string>();
    const ask = (text: string, sets: () => LeafSets): number => {
      asked.add(text);
      const answer = answers.get(text);
      if (answer !== undefined) return answer;
      if (!options.has(text)) options.set(text, sets());
      throw new Question(text);
    };
    const bytes = unknownOctets(offset, this.#length, (octet) =>
      ask(`octet ${octet}`, () => this.#octetSets(octet)),
    );
    const limit = this.runs + maxRuns;
    const explore = (path: NumberSet) => {
      this.runs += 1;
      if (this.runs > limit) throw tooLarge(maxRuns);
      asked = new Set();
      const outcome = attempt(() => policy.decide(bytes, offset, this.#length));
      if (answers.size > asked.size) throw new Error('the decision asks other questions the second time');
      if (!(outcome instanceof Question)) {
        verdicts.set(outcome.result, this.bdd.or(verdicts.get(outcome.result) ?? this.bdd.never, path));
        return;
      }
      for (const [answer, set] of options.get(outcome.text) ?? []) {
        const narrowed = this.bdd.and(path, set);
        if (narrowed === this.bdd.never) continue;
        answers.set(outcome.text, answer);
        explore(narrowed);
      }
      answers.delete(outcome.text);
    };
    withLookups(
      bytes,
      (trie, at, lookup) => this.#ask(ask, trie, at, lookup),
      () => explore(this.bdd.always),
    );
    return verdicts;
  }

  #ask(
    ask: (text: string, sets: () => LeafSets) => number,
    trie: PrefixTrie,
    at: string,
    lookup: Lookup,
  ): number {
    const number = this.#numbers.get(trie) ?? this.#numbers.size;
    this.#numbers.set(trie, number);
    return ask(`trie ${number} ${at}`, () => {
      const known = this.#known.get(trie) ?? new Map<string, LeafSets>();
      this.#known.set(trie, known);
      let sets = known.get(at);
      if (sets === undefined) {
        sets = this.#tries.read(trie, lookup, offset, this.#length);
        known.set(at, sets);
      }
      return sets;
    });
  }

  #octetSets(octet: number): LeafSets {
    const sets = new Map<number, NumberSet>();
    for (let value = 0; value < 256; value++) {
      let set = this.bdd.always;
      for (let bit = 7; bit >= 0; bit--) {
        const variable = this.bdd.bit(octet * 8 + bit);
        set = this.bdd.and(((value >> (7 - bit)) & 1) === 1 ? variable : this.bdd.not(variable), set);
      }
      sets.set(value, set);
    }
    return sets;
  }
}

/** While `run` lasts, lookups of any trie on these octets go to `answer`; on others they are as they were. */
function withLookups(
  octets: Uint8Array,
  answer: (trie: PrefixTrie, at: string, lookup: Lookup) => number,
  run: () => void,
): void {
  const { lookup, lookupAt } = PrefixTrie.prototype;
  PrefixTrie.prototype.lookup = function (bytes, from) {
    if (bytes !== octets) return lookup.call(this, bytes, from);
    return answer(this, `at ${from}`, (trie, unknown) => lookup.call(trie, unknown, from));
  };
  PrefixTrie.prototype.lookupAt = function (bytes, from, places) {
    if (bytes !== octets) return lookupAt.call(this, bytes, from, places);
    return answer(this, `at ${from} + ${places.join()}`, (trie, unknown) =>
      lookupAt.call(trie, unknown, from, places),
    );
  };
  try {
    run();
  } finally {
    PrefixTrie.prototype.lookup = lookup;
    PrefixTrie.prototype.lookupAt = lookupAt;
  }
}

/**
 * What the verdicts pin, and as what.
 * @throws Error when the verdicts are not of all addresses, each once
 */
export function decidedSets(bdd: NumberSets, verdicts: VerdictSets): AddressSets {
  let all = bdd.never;
  let pinned = bdd.never;
  let asIpv4 = bdd.never;
  let addresses = 0n;
  for (const [verdict, set] of verdicts) {
    all = bdd.or(all, set);
    addresses += bdd.size(set);
    if (verdict.pin) pinned = bdd.or(pinned, set);
    if (verdict.pin && verdict.family === 'ipv4' && bdd.width === 128) asIpv4 = bdd.or(asIpv4, set);
  }
  if (all !== bdd.always || addresses !== 1n << BigInt(bdd.width)) {
    throw new Error('the verdicts are not of every address once: the proof is wrong');
  }
  return { pinned, asIpv4 };
}
