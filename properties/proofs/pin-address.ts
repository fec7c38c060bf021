/**
 * pin-address decides every IPv4 and every IPv6 address as the oracle requires. The compiled decision itself
 * runs on an unknown address (`addresses/decision-sets.ts`), the oracle's rules speak of all addresses at
 * once (`addresses/address-sets.ts`), and the two sets are compared as BDDs over the address bits.
 */
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { edges } from '../arbitraries/addresses.ts';
import { mutants } from '../mutants/pin-address.ts';
import { addressNumber } from '../oracles/addresses/address-number.ts';
import { requiredOf } from '../oracles/addresses/address-oracle.ts';
import { requiredSets } from './addresses/address-sets.ts';
import { DecisionReader, decidedSets } from './addresses/decision-sets.ts';
import { essentialPolicies, type NamedPolicy, namedPolicies } from './addresses/named-policies.ts';
import { NumberSets } from './addresses/number-sets.ts';
import { differenceTrace, octetsOf, textOfPolicy } from './addresses/one-address.ts';
import { type Counts, mutantsNamed, type Proof, type ProofMutant, type ProofResult } from './proof.ts';

const decision = 'reference/decisions/pin-address/pin-address.ts';
const trie = 'reference/decisions/pin-address/prefix-trie.ts';

/** Mistakes that samples miss: one address of 2^128, one bit of octets that few prefixes reach. */
const unsampled: readonly ProofMutant[] = [
  {
    id: 'one-address-in-2-to-the-128',
    mistake: 'one documentation address, left over from a debugging session, is public',
    file: decision,
    find: 'paint(tries, sixToFourPrefix, (leaf) => withDecoder(leaf, sixToFour));',
    replace:
      "paint(tries, sixToFourPrefix, (leaf) => withDecoder(leaf, sixToFour)); paint(tries, '2001:db8:5eed::c0de/128', (leaf) => ({ ...leaf, private: null }));",
  },
  {
    id: 'last-octet-of-a-host-ignored',
    mistake: 'the lookup takes the last octet of an IPv6 address for even',
    file: trie,
    find: 'entry = entries[(~entry << 8) | (bytes[at] as number)] as number;',
    replace:
      'entry = entries[(~entry << 8) | ((bytes[at] as number) & (at === offset + 15 ? 0xfe : 0xff))] as number;',
  },
  {
    id: 'u-octet-of-one-bit',
    mistake: 'of bits 64 to 71 only seven are looked at',
    file: decision,
    find: 'bytes[offset + 8] !== 0) return uOctet;',
    replace: '((bytes[offset + 8] as number) & 0xfe) !== 0) return uOctet;',
  },
];

export const proof: Proof = {
  name: 'pin-address',
  statement:
    'Every IPv4 and every IPv6 address is pinned exactly when the oracle allows it, and an IPv4-mapped one as its IPv4.',
  bounds: [
    'all 2^32 IPv4 and all 2^128 IPv6 addresses, of no region in particular',
    `${namedPolicies.length} policies: the empty one, denyCIDRs outside and inside embeddings, NAT64 prefixes of every length, within ` +
      'each other and over 6to4, pinPrivateCIDRs, all at once, and those that the properties use',
  ],
  assumptions: [
    'The decision is deterministic and learns of an address only by indexing the octets (anything else stops the proof) or by ' +
      'calling PrefixTrie.lookup and lookupAt on them.',
    'Those two lookups, run for every octet that they read of the compiled trie, answer the same when the decision calls them.',
    'The BDD package is right (held against truth tables), and the oracle’s rules mean the same in its two logics: of one address ' +
      'by BigInt, of all as a BDD (compared on the edges of every block).',
    'Where in a message the octets stand does not matter: they stand at one offset.',
    'Text is not part of it: parseAddress and formatAddress have tests of their own.',
  ],
  mutants: [
    ...mutantsNamed(mutants, [
      'low-32-bits-decode',
      'u-octet-in-the-ipv4',
      'isatap-universal-bit',
      'first-decoder-decides',
      'mapped-as-ipv6',
      'wrappers-refused',
      'deny-not-inside',
      'deny-is-private',
      'pin-private-beats-never',
      'benchmarking-half',
      'wire-server-forgotten',
      'trie-range-short',
    ]),
    ...unsampled,
  ],
  async run({ scale, progress }) {
    const policies = scale === 'full' ? namedPolicies : essentialPolicies;
    const total = { policies: 0, ways: 0, lookups: 0, rules: 0, nodes: 0, controls: 0 };
    const readers = { 4: new DecisionReader(new NumberSets(32)), 6: new DecisionReader(new NumberSets(128)) };
    const counts = (): Counts => ({
      policies: total.policies,
      'runs of the decision': total.ways,
      'runs of lookups': total.lookups,
      'guarded rules of the oracle': total.rules,
      'BDD nodes': total.nodes,
      'addresses decided as a control': total.controls,
    });
    for (const named of policies) {
      for (const family of [4, 6] as const) {
        // Policies have most sets in common, so that they share a diagram until it is large.
        if (readers[family].bdd.nodes > manyNodes) {
          readers[family] = new DecisionReader(new NumberSets(family === 4 ? 32 : 128));
        }
        const difference = compare(named, readers[family], total);
        if (difference !== null) return { ...difference, counts: counts() };
      }
      total.policies += 1;
      progress(counts());
    }
    return { outcome: 'proved', counts: counts() };
  },
};

const manyNodes = 1_000_000;

interface Total {
  ways: number;
  lookups: number;
  rules: number;
  nodes: number;
  controls: number;
}

type Refutation = Omit<Extract<ProofResult, { readonly outcome: 'refuted' }>, 'counts'>;

function compare({ says, policy }: NamedPolicy, reader: DecisionReader, total: Total): Refutation | null {
  const { bdd, runs, lookups } = reader;
  const before = bdd.nodes;
  const family = bdd.width === 32 ? 4 : 6;
  const compiled = compileAddressPolicy(policy);
  const decided = decidedSets(bdd, reader.read(compiled));
  const { rules, ...required } = requiredSets(bdd, policy, family);
  total.ways += reader.runs - runs;
  total.lookups += reader.lookups - lookups;
  total.rules += rules;
  total.nodes += bdd.nodes - before;
  const different = bdd.or(
    bdd.xor(decided.pinned, required.pinned),
    bdd.xor(decided.asIpv4, required.asIpv4),
  );
  const lowest = bdd.lowest(different);
  if (lowest !== null) {
    const trace = differenceTrace(policy, compiled, { family, value: lowest }, bdd.size(different));
    return { outcome: 'refuted', trace: [`policy     ${says}: ${textOfPolicy(policy)}`, ...trace] };
  }
  // The sets are equal; that they are those of the code and of the oracle shows where somebody looks.
  for (const text of edges) {
    const address = addressNumber(text);
    if (address.family !== family) continue;
    const inSet = bdd.holds(required.pinned, address.value);
    const { pin } = compiled.decide(octetsOf(address), 0, family === 4 ? 4 : 16);
    if (pin !== inSet || requiredOf(policy, text).mayPin !== inSet) {
      throw new Error(`the sets say ${inSet} of ${text} under ${says}: the proof is wrong`);
    }
    total.controls += 1;
  }
  return null;
}
