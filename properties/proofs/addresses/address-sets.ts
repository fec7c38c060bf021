/** Sets of addresses as BDDs over their bits, and the oracle's rules compiled to such sets. */
import { type AddressLogic, addressRules, type Policy } from '../../oracles/addresses/address-rules.ts';
import type { NumberSet, NumberSets } from './number-sets.ts';

/** An unknown address: the BDD variable of each bit, most significant first. 32 or 128 of them. */
export type SymbolicAddress = readonly number[];

export function wholeAddress(family: 4 | 6): SymbolicAddress {
  return Array.from({ length: family === 4 ? 32 : 128 }, (_, variable) => variable);
}

/** The assignments under which these bits are at least, or at most, the value. */
function bounded(bdd: NumberSets, bits: SymbolicAddress, bound: bigint, atLeast: boolean): NumberSet {
  let node = bdd.always;
  // From the last bit on: what decides nearer to the root comes later.
  for (let at = bits.length - 1; at >= 0; at--) {
    const bit = bdd.bit(bits[at] as number);
    const boundBit = (bound >> BigInt(bits.length - 1 - at)) & 1n;
    if (atLeast) node = boundBit === 1n ? bdd.and(bit, node) : bdd.or(bit, node);
    else node = boundBit === 1n ? bdd.or(bdd.not(bit), node) : bdd.and(bdd.not(bit), node);
  }
  return node;
}

/** The logic in which the oracle's rules speak of all addresses at once. */
export function setLogic(bdd: NumberSets): AddressLogic<SymbolicAddress, NumberSet> {
  return {
    always: bdd.always,
    never: bdd.never,
    within: (address, { first, last }) =>
      bdd.and(bounded(bdd, address, first, true), bounded(bdd, address, last, false)),
    equals(address, { from, count }, value) {
      const bits = address.slice(from, from + count);
      return bdd.and(bounded(bdd, bits, value, true), bounded(bdd, bits, value, false));
    },
    ipv4At: (address, ranges) => ranges.flatMap(({ from, count }) => address.slice(from, from + count)),
    not: (operand) => bdd.not(operand),
    and: (left, right) => bdd.and(left, right),
    or: (left, right) => bdd.or(left, right),
  };
}

export interface AddressSets {
  /** Addresses that may be pinned. */
  readonly pinned: NumberSet;
  /** Of those, the IPv6 addresses that are pinned as an IPv4. */
  readonly asIpv4: NumberSet;
}

/** What the oracle requires, of all addresses of a family. The first rule whose guard holds decides. */
export function requiredSets(
  bdd: NumberSets,
  policy: Policy,
  family: 4 | 6,
): AddressSets & { readonly rules: number } {
  let undecided = bdd.always;
  let pinned = bdd.never;
  let asIpv4 = bdd.never;
  let rules = 0;
  for (const { when, mayPin, as } of addressRules(policy, family, wholeAddress(family), setLogic(bdd))) {
    rules += 1;
    const decided = bdd.and(undecided, when);
    if (mayPin) pinned = bdd.or(pinned, decided);
    if (mayPin && as === 'its IPv4') asIpv4 = bdd.or(asIpv4, decided);
    undecided = bdd.and(undecided, bdd.not(when));
  }
  if (undecided !== bdd.never) throw new Error("the oracle's rules say nothing of some addresses");
  return { pinned, asIpv4, rules };
}
