/** A counterexample as a person reads it: the address, what both sides say, by which rule. */
import type { CompiledAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { type AddressNumber, addressText } from '../../oracles/addresses/address-number.ts';
import { requiredOf } from '../../oracles/addresses/address-oracle.ts';
import type { Policy } from '../../oracles/addresses/address-rules.ts';

export function octetsOf({ family, value }: AddressNumber): Uint8Array {
  const length = family === 4 ? 4 : 16;
  return Uint8Array.from({ length }, (_, at) => Number((value >> BigInt((length - 1 - at) * 8)) & 0xffn));
}

export function textOfPolicy(policy: Policy): string {
  const parts = Object.entries(policy).filter(([, entries]) => entries.length > 0);
  return parts.map(([field, entries]) => `${field} ${entries.join(' ')}`).join('; ') || 'no entries';
}

/**
 * @param count how many addresses differ, of which this is the lowest; null: nobody counted
 * @throws Error when the address, decided for real, does not differ: then the proof is wrong
 */
export function differenceTrace(
  policy: Policy,
  compiled: CompiledAddressPolicy,
  address: AddressNumber,
  count: bigint | null,
): string[] {
  const text = addressText(address);
  const decided = compiled.decide(octetsOf(address), 0, address.family === 4 ? 4 : 16);
  const required = requiredOf(policy, text);
  const decidedAs = decided.family === 'ipv4' && address.family === 6 ? 'its IPv4' : 'itself';
  const word = (pin: boolean, as: string) => (pin ? `pin as ${as}` : 'refuse');
  const ours = word(decided.pin, decidedAs);
  const theirs = word(required.mayPin, required.as);
  if (ours === theirs) throw new Error(`${text} is decided as required: the proof is wrong`);
  return [
    `address    ${text}`,
    `reference  ${ours}  [${decided.rule}]`,
    `oracle     ${theirs}  [${required.rule}]`,
    ...(count === null ? [] : [`in all     ${sentenceOf(count)}`]),
  ];
}

function sentenceOf(count: bigint): string {
  if (count === 1n) return 'this address alone differs';
  return `${count.toLocaleString('en-US')} addresses differ; this is the lowest`;
}
