/** Decisions run on an unknown address: the sets are those of the code, and code that hides is found. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AddressVerdict } from '#reference/decisions/pin-address/pin-address.ts';
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { addressArbitrary } from '../../arbitraries/addresses.ts';
import { addressNumber } from '../../oracles/addresses/address-number.ts';
import { requiredOf } from '../../oracles/addresses/address-oracle.ts';
import { requiredSets } from './address-sets.ts';
import { DecisionReader, decidedSets } from './decision-sets.ts';
import { essentialPolicies } from './named-policies.ts';
import { NumberSets } from './number-sets.ts';
import { octetsOf } from './one-address.ts';

const yes: AddressVerdict = { pin: true, family: 'ipv4', rule: 'yes' };
const no: AddressVerdict = { pin: false, family: 'ipv4', rule: 'no' };

function setsOf(decide: (bytes: Uint8Array, offset: number) => AddressVerdict) {
  const bdd = new NumberSets(32);
  return { bdd, sets: new DecisionReader(bdd).read({ decide }) };
}

describe('a decision on an unknown address', () => {
  test('always has the sets of its code, whatever it does with the octets it reads', () => {
    const { bdd, sets } = setsOf((bytes, offset) =>
      (bytes[offset] as number) < 150 || (bytes[offset + 3] as number) * 3 > 700 ? yes : no,
    );
    const wanted = (a: number, d: number) => a < 150 || d * 3 > 700;
    for (let a = 0; a < 256; a += 5) {
      for (let d = 0; d < 256; d++) {
        const address = (BigInt(a) << 24n) | BigInt(d);
        expect(bdd.holds(sets.get(yes) ?? bdd.never, address)).toBe(wanted(a, d));
      }
    }
    expect(() => decidedSets(bdd, sets)).not.toThrow();
  });

  test.each([
    ['asks for the length', (bytes: Uint8Array) => (bytes.length === 4 ? yes : no)],
    ['copies octets', (bytes: Uint8Array) => (bytes.slice(0, 4)[0] === 10 ? yes : no)],
    [
      'reads before the address',
      (bytes: Uint8Array, offset: number) => (bytes[offset - 1] === 10 ? yes : no),
    ],
    ['reads past the address', (bytes: Uint8Array, offset: number) => (bytes[offset + 4] === 10 ? yes : no)],
  ])('never hides that it %s', (_, decide) => {
    expect(() => setsOf(decide)).toThrow(/the decision reads/);
  });

  test('never decides otherwise the second time', () => {
    let calls = 0;
    const fickle = (bytes: Uint8Array, offset: number) => {
      calls += 1;
      return calls > 100 ? no : bytes[offset] === bytes[offset + 1] ? yes : no;
    };
    expect(() => setsOf(fickle)).toThrow(/other questions the second time/);
  });

  test('only takes so many runs, and says so', () => {
    const greedy = (bytes: Uint8Array, offset: number) =>
      (bytes[offset] as number) + (bytes[offset + 1] as number) + (bytes[offset + 2] as number) > 9
        ? yes
        : no;
    expect(() => setsOf(greedy)).toThrow(expect.objectContaining({ code: 'proof-too-large' }));
  });

  test('always has sets that answer as the decision and as the oracle do, address by address', () => {
    const bdds = { 4: new NumberSets(32), 6: new NumberSets(128) };
    for (const { policy } of essentialPolicies) {
      const compiled = compileAddressPolicy(policy);
      const decided = {
        4: decidedSets(bdds[4], new DecisionReader(bdds[4]).read(compiled)),
        6: decidedSets(bdds[6], new DecisionReader(bdds[6]).read(compiled)),
      };
      const required = { 4: requiredSets(bdds[4], policy, 4), 6: requiredSets(bdds[6], policy, 6) };
      fc.assert(
        fc.property(addressArbitrary, (text) => {
          const address = addressNumber(text);
          const { family, value } = address;
          const { pin } = compiled.decide(octetsOf(address), 0, family === 4 ? 4 : 16);
          expect(bdds[family].holds(decided[family].pinned, value)).toBe(pin);
          expect(bdds[family].holds(required[family].pinned, value)).toBe(requiredOf(policy, text).mayPin);
        }),
        { seed: 11, numRuns: 300 },
      );
    }
  });
});
