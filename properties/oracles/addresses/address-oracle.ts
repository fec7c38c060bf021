/**
 * What the policy requires of an address, by interval arithmetic on BigInt over the registries: no trie, no
 * tables of the code that it judges.
 */
import type { ConfigOf } from '../../protocol/decision.ts';
import type { pinAddress } from '../../protocol/pin-address.ts';
import { type AddressNumber, addressNumber, type Interval, intervalOf, within } from './address-number.ts';
import {
  cloudAddresses,
  globalUnicast,
  ipv4Registry,
  ipv6Registry,
  type RegistryEntry,
  wrapperBlocks,
} from './registries.ts';

export type Policy = ConfigOf<typeof pinAddress>;

export interface Required {
  readonly mayPin: boolean;
  /** Registry entry, RFC or policy entry that requires it. */
  readonly rule: string;
}

interface Block extends Interval {
  readonly rule: string;
}

const block = ({ prefix, name, source }: RegistryEntry): Block => ({
  ...intervalOf(prefix),
  rule: `${prefix} ${name}, ${source}`,
});
const neverNames = ['loopback', 'link-local', 'multicast'];
const isNever = ({ name }: RegistryEntry) => neverNames.includes(name);
const isWrapper = ({ prefix }: RegistryEntry) => (wrapperBlocks as readonly string[]).includes(prefix);
const registry = [...ipv4Registry, ...ipv6Registry];
const neverBlocks: readonly Block[] = [...registry.filter(isNever), ...cloudAddresses].map(block);
const privateBlocks: readonly Block[] = registry
  .filter((entry) => !isNever(entry) && !isWrapper(entry))
  .map(block);
const unicast = intervalOf(globalUnicast);
const mapped = intervalOf('::ffff:0:0/96');
const wellKnown = intervalOf('64:ff9b::/96');
const sixToFour = intervalOf('2002::/16');

interface Nat64 extends Interval {
  readonly text: string;
  readonly lengthBits: number;
}

interface CompiledPolicy {
  readonly deny: readonly Block[];
  readonly nat64: readonly Nat64[];
  readonly pinPrivate: readonly Interval[];
}

const compiled = new WeakMap<Policy, CompiledPolicy>();

function compile(policy: Policy): CompiledPolicy {
  let known = compiled.get(policy);
  if (known === undefined) {
    known = {
      deny: policy.denyCIDRs.map((text) => ({ ...intervalOf(text), rule: `operator deny ${text}` })),
      nat64: policy.nat64Prefixes.map((text) => ({
        ...intervalOf(text),
        text,
        lengthBits: Number(text.split('/')[1]),
      })),
      pinPrivate: policy.pinPrivateCIDRs.map(intervalOf),
    };
    compiled.set(policy, known);
  }
  return known;
}

/** One way in which an IPv6 address carries an IPv4. */
export interface Embedded {
  readonly how: string;
  /** null: the encoding itself is invalid (RFC 6052 section 2.2, bits 64 to 71). */
  readonly ipv4: AddressNumber | null;
  readonly nat64: boolean;
}

/** Every decoder of the policy that matches, in no order that matters. */
export function decodersOf(policy: Policy, address: AddressNumber): Embedded[] {
  const found: Embedded[] = [];
  const { value } = address;
  const four = (bits: bigint): AddressNumber => ({ family: 4, value: bits & 0xffff_ffffn });
  if (within(wellKnown, address)) found.push({ how: 'NAT64 64:ff9b::/96', ipv4: four(value), nat64: true });
  if (within(sixToFour, address)) found.push({ how: '6to4', ipv4: four(value >> 80n), nat64: false });
  const identifier = (value >> 32n) & 0xffff_ffffn;
  if (identifier === 0x0000_5efen || identifier === 0x0200_5efen) {
    found.push({ how: 'ISATAP', ipv4: four(value), nat64: false });
  }
  for (const prefix of compile(policy).nat64) {
    if (!within(prefix, address)) continue;
    const how = `NAT64 ${prefix.text}`;
    const ipv4 = prefix.lengthBits === 96 ? four(value) : aroundUOctet(value, prefix.lengthBits);
    found.push({ how, ipv4, nat64: true });
  }
  return found;
}

/**
 * RFC 6052 section 2.2: the 32 bits after the prefix, once bits 64 to 71 are taken out; null when those are
 * not zero.
 */
function aroundUOctet(value: bigint, lengthBits: number): AddressNumber | null {
  if (((value >> 56n) & 0xffn) !== 0n) return null;
  const high = value >> 64n;
  const low = value & ((1n << 56n) - 1n);
  const joined = (high << 56n) | low;
  return { family: 4, value: (joined >> BigInt(120 - lengthBits - 32)) & 0xffff_ffffn };
}

/** The whole policy of findings.md F1, reference (1) to (6). */
export function requiredOf(policy: Policy, text: string): Required {
  return required(policy, addressNumber(text));
}

function required(policy: Policy, address: AddressNumber): Required {
  const { deny, pinPrivate } = compile(policy);
  const denied = deny.find((entry) => within(entry, address));
  if (denied !== undefined) return { mayPin: false, rule: denied.rule };
  if (within(mapped, address)) {
    return required(policy, { family: 4, value: address.value & 0xffff_ffffn });
  }
  const never = neverBlocks.find((entry) => within(entry, address));
  if (never !== undefined) return { mayPin: false, rule: never.rule };
  const embedded = address.family === 6 ? decodersOf(policy, address) : [];
  for (const { how, ipv4 } of embedded) {
    if (ipv4 === null) return { mayPin: false, rule: `${how}: bits 64 to 71 are not zero, RFC 6052` };
    const inner = required(policy, ipv4);
    if (!inner.mayPin) return { mayPin: false, rule: `${how} of ${inner.rule}` };
  }
  const own =
    privateBlocks.find((entry) => within(entry, address))?.rule ??
    (address.family === 6 && !within(unicast, address) ? 'outside 2000::/3' : null);
  if (own === null) return { mayPin: true, rule: 'global unicast, in no registry' };
  if (embedded.some(({ nat64 }) => nat64))
    return { mayPin: true, rule: 'NAT64 of an allowed IPv4, RFC 6052' };
  const exempt = pinPrivate.some((entry) => within(entry, address));
  return exempt ? { mayPin: true, rule: 'pinPrivateCIDRs' } : { mayPin: false, rule: own };
}
