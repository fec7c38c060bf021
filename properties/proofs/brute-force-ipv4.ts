/**
 * pin-address on every one of 2^32 IPv4 addresses, octets in a buffer as the proxy hands them over, against
 * a table of intervals compiled from the oracle's rules: no assumption on the code at all.
 */
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { mutants } from '../mutants/pin-address.ts';
import { addressText } from '../oracles/addresses/address-number.ts';
import { requiredOf } from '../oracles/addresses/address-oracle.ts';
import type { Policy } from '../oracles/addresses/address-rules.ts';
import { requiredSets } from './addresses/address-sets.ts';
import { essentialPolicies } from './addresses/named-policies.ts';
import { NumberSets } from './addresses/number-sets.ts';
import { differenceTrace, octetsOf, textOfPolicy } from './addresses/one-address.ts';
import { mutantsNamed, type Proof } from './proof.ts';

const parts = 2;
const addresses = 2 ** 32;
const partSize = addresses / parts;
const edgeSize = 4096;
const progressEvery = 2 ** 26;
const policy = essentialPolicies[0]?.policy as Policy;

export const proof: Proof = {
  name: 'brute-force-ipv4',
  statement: 'Each IPv4 address, decided one by one, is pinned exactly when the oracle allows it.',
  bounds: ['all 4,294,967,296 IPv4 addresses, under the empty policy'],
  assumptions: [
    'The table of intervals that is looked up instead of the oracle is compiled from its rules as a BDD, and compared with the ' +
      'oracle itself at both ends of each interval.',
  ],
  mutants: mutantsNamed(mutants, [
    'benchmarking-half',
    'reserved-forgotten',
    'wire-server-forgotten',
    'trie-range-short',
  ]),
  parts,
  onDemand: '--brute-force-ipv4',
  async run({ scale, part, progress }) {
    const compiled = compileAddressPolicy(policy);
    const from = part * partSize;
    const wanted = verdictIntervals().flatMap((one) => cut(one, from, from + partSize - 1));
    let decided = 0;
    const counts = () => ({ 'addresses decided': decided, 'intervals of the oracle': wanted.length });
    for (const { first, last, pin } of wanted.flatMap((one) => (scale === 'full' ? [one] : edgesOf(one)))) {
      for (let start = first; start <= last; start += progressEvery) {
        const end = Math.min(last, start + progressEvery - 1);
        const wrong = firstOther(compiled.decide, start, end, pin);
        if (wrong !== null) {
          const address = { family: 4 as const, value: BigInt(wrong) };
          const trace = differenceTrace(policy, compiled, address, null);
          return {
            outcome: 'refuted',
            counts: counts(),
            trace: [`policy     ${textOfPolicy(policy)}`, ...trace],
          };
        }
        decided += end - start + 1;
        progress(counts());
      }
    }
    return { outcome: 'proved', counts: counts() };
  },
};

interface VerdictInterval {
  readonly first: number;
  readonly last: number;
  readonly pin: boolean;
}

/** All IPv4 addresses in ascending order, cut wherever the oracle's verdict changes. */
function verdictIntervals(): VerdictInterval[] {
  const bdd = new NumberSets(32);
  const found: VerdictInterval[] = [];
  let next = 0;
  const add = (first: number, last: number, pin: boolean) => {
    for (const value of [first, last]) {
      const text = addressText({ family: 4, value: BigInt(value) });
      if (requiredOf(policy, text).mayPin !== pin) throw new Error(`the table is wrong of ${text}`);
    }
    found.push({ first, last, pin });
    next = last + 1;
  };
  for (const { first, last } of bdd.intervals(requiredSets(bdd, policy, 4).pinned)) {
    if (Number(first) > next) add(next, Number(first) - 1, false);
    add(Number(first), Number(last), true);
  }
  if (next < addresses) add(next, addresses - 1, false);
  return found;
}

function cut({ first, last, pin }: VerdictInterval, from: number, to: number): VerdictInterval[] {
  const inside = { first: Math.max(first, from), last: Math.min(last, to), pin };
  return inside.first <= inside.last ? [inside] : [];
}

/** The small scope: where verdicts change. */
function edgesOf({ first, last, pin }: VerdictInterval): VerdictInterval[] {
  if (last - first < 2 * edgeSize) return [{ first, last, pin }];
  return [
    { first, last: first + edgeSize - 1, pin },
    { first: last - edgeSize + 1, last, pin },
  ];
}

type Decide = ReturnType<typeof compileAddressPolicy>['decide'];

/** The first address that is not decided so; null when all are. */
function firstOther(decide: Decide, first: number, last: number, pin: boolean): number | null {
  const octets = octetsOf({ family: 4, value: BigInt(first) });
  let address = first;
  while (address <= last) {
    const end = Math.min(last, address + 255 - (address % 256));
    octets[0] = address >>> 24;
    octets[1] = address >>> 16;
    octets[2] = address >>> 8;
    for (; address <= end; address++) {
      octets[3] = address;
      if (decide(octets, 0, 4).pin !== pin) return address;
    }
  }
  return null;
}
