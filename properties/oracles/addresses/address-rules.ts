/**
 * What the policy requires of an address, as an ordered list of guarded rules over any logic: of one address
 * by BigInt (`address-oracle.ts`), of all at once by whoever brings a logic of sets. One text for both,
 * from the registries, with no trie and no table of the code that it judges.
 * Invariant: the first rule whose guard holds decides; some guard always holds; no guard of a refusal holds
 * where an allowing rule is meant to win, so that refusals can be read by themselves.
 */
import type { ConfigOf } from '../../protocol/decision.ts';
import type { pinAddress } from '../../protocol/pin-address.ts';
import { type Interval, intervalOf } from './address-number.ts';
import {
  cloudAddresses,
  globalUnicast,
  ipv4Registry,
  ipv6Registry,
  type RegistryEntry,
  wrapperBlocks,
} from './registries.ts';

export type Policy = ConfigOf<typeof pinAddress>;

/** Bits of an address, most significant first; `from` 0 is the first bit on the wire. */
export interface BitRange {
  readonly from: number;
  readonly count: number;
}

/** What the rules ask of an address. `Address` has a family that the caller knows. */
export interface AddressLogic<Address, Truth> {
  readonly always: Truth;
  readonly never: Truth;
  within(address: Address, interval: Interval): Truth;
  /** These bits have this value. */
  equals(address: Address, bits: BitRange, value: bigint): Truth;
  /** The IPv4 whose 32 bits are those of the ranges, in their order. */
  ipv4At(address: Address, bits: readonly BitRange[]): Address;
  not(operand: Truth): Truth;
  and(left: Truth, right: Truth): Truth;
  or(left: Truth, right: Truth): Truth;
}

export interface GuardedRule<Truth> {
  readonly when: Truth;
  readonly mayPin: boolean;
  /** What is pinned: an IPv4-mapped address is its IPv4. */
  readonly as: 'itself' | 'its IPv4';
  /** Registry entry, RFC or policy entry that requires it. */
  readonly rule: string;
}

interface Block extends Interval {
  readonly rule: string;
}

type ByFamily<Entry> = Readonly<Record<4 | 6, readonly Entry[]>>;

function byFamily<Entry extends Interval>(entries: readonly Entry[]): ByFamily<Entry> {
  return {
    4: entries.filter(({ family }) => family === 4),
    6: entries.filter(({ family }) => family === 6),
  };
}

const block = ({ prefix, name, source }: RegistryEntry): Block => ({
  ...intervalOf(prefix),
  rule: `${prefix} ${name}, ${source}`,
});
const neverNames = ['loopback', 'link-local', 'multicast'];
const isNever = ({ name }: RegistryEntry) => neverNames.includes(name);
const isWrapper = ({ prefix }: RegistryEntry) => (wrapperBlocks as readonly string[]).includes(prefix);
const registry = [...ipv4Registry, ...ipv6Registry];
const neverBlocks = byFamily([...registry.filter(isNever), ...cloudAddresses].map(block));
const privateBlocks = byFamily(registry.filter((entry) => !isNever(entry) && !isWrapper(entry)).map(block));
const unicast = intervalOf(globalUnicast);
const mapped = intervalOf('::ffff:0:0/96');
const lowBits: readonly BitRange[] = [{ from: 96, count: 32 }];
const uOctet: BitRange = { from: 64, count: 8 };
const identifierStart: BitRange = { from: 64, count: 32 };

/** One way in which an IPv6 address carries an IPv4. */
export interface EmbeddingRule {
  readonly how: string;
  readonly ipv4: readonly BitRange[];
  /** RFC 6052 section 2.2: an encoding in which bits 64 to 71 are not zero is invalid. */
  readonly zeroUOctet: boolean;
  readonly nat64: boolean;
  matches<Address, Truth>(address: Address, logic: AddressLogic<Address, Truth>): Truth;
}

function inPrefix(
  prefix: string,
  fields: Omit<EmbeddingRule, 'matches' | 'zeroUOctet'> & { readonly zeroUOctet?: true },
): EmbeddingRule {
  const interval = intervalOf(prefix);
  return { zeroUOctet: false, ...fields, matches: (address, logic) => logic.within(address, interval) };
}

const fixedEmbeddings: readonly EmbeddingRule[] = [
  inPrefix('64:ff9b::/96', { how: 'NAT64 64:ff9b::/96', ipv4: lowBits, nat64: true }),
  inPrefix('2002::/16', { how: '6to4', ipv4: [{ from: 16, count: 32 }], nat64: false }),
  {
    how: 'ISATAP',
    ipv4: lowBits,
    zeroUOctet: false,
    nat64: false,
    matches: (address, logic) =>
      logic.or(
        logic.equals(address, identifierStart, 0x0000_5efen),
        logic.equals(address, identifierStart, 0x0200_5efen),
      ),
  },
];

/** RFC 6052 section 2.2: the 32 bits after the prefix, around bits 64 to 71. */
function nat64Embedding(prefix: string): EmbeddingRule {
  const length = Number(prefix.split('/')[1]);
  const how = `NAT64 ${prefix}`;
  if (length === 96) return inPrefix(prefix, { how, ipv4: lowBits, nat64: true });
  const before = 64 - length;
  const ipv4 = [
    { from: length, count: Math.min(before, 32) },
    { from: 72, count: 32 - Math.min(before, 32) },
  ].filter(({ count }) => count > 0);
  return inPrefix(prefix, { how, ipv4, nat64: true, zeroUOctet: true });
}

interface CompiledPolicy {
  readonly deny: ByFamily<Block>;
  readonly embeddings: readonly EmbeddingRule[];
  readonly pinPrivate: ByFamily<Interval>;
}

const compiled = new WeakMap<Policy, CompiledPolicy>();

function compile(policy: Policy): CompiledPolicy {
  let known = compiled.get(policy);
  if (known === undefined) {
    known = {
      deny: byFamily(
        policy.denyCIDRs.map((text) => ({ ...intervalOf(text), rule: `operator deny ${text}` })),
      ),
      embeddings: [...fixedEmbeddings, ...policy.nat64Prefixes.map(nat64Embedding)],
      pinPrivate: byFamily(policy.pinPrivateCIDRs.map(intervalOf)),
    };
    compiled.set(policy, known);
  }
  return known;
}

/** Every embedding that the policy decodes, in no order that matters. */
export function embeddingsOf(policy: Policy): readonly EmbeddingRule[] {
  return compile(policy).embeddings;
}

type Rules<Truth> = Generator<GuardedRule<Truth>, void, undefined>;

/**
 * The whole policy of findings.md F1, reference (1) to (6). Lazy: guards are made as they are read, and most
 * that never hold are left out.
 */
export function* addressRules<Address, Truth>(
  policy: Policy,
  family: 4 | 6,
  address: Address,
  logic: AddressLogic<Address, Truth>,
): Rules<Truth> {
  const { deny, embeddings, pinPrivate } = compile(policy);
  const { always, never } = logic;
  const within = (interval: Interval) => logic.within(address, interval);
  for (const entry of deny[family]) {
    const when = within(entry);
    if (when !== never) yield { when, mayPin: false, as: 'itself', rule: entry.rule };
  }
  if (family === 6) yield* mappedRules(policy, address, logic);
  for (const entry of neverBlocks[family]) {
    const when = within(entry);
    if (when !== never) yield { when, mayPin: false, as: 'itself', rule: entry.rule };
  }
  let byNat64 = never;
  for (const embedding of family === 6 ? embeddings : []) {
    yield* embeddedRefusals(policy, embedding, address, logic);
    if (embedding.nat64) byNat64 = logic.or(byNat64, embedding.matches(address, logic));
  }
  const exempt = pinPrivate[family].map(within).reduce(logic.or, never);
  const unexempt = logic.not(logic.or(byNat64, exempt));
  let isPrivate = never;
  for (const entry of ownRefusals(family, address, logic)) {
    isPrivate = logic.or(isPrivate, entry.when);
    yield { ...entry, when: logic.and(entry.when, unexempt), mayPin: false, as: 'itself' };
  }
  const pin = { mayPin: true, as: 'itself' } as const;
  yield { ...pin, when: logic.and(isPrivate, byNat64), rule: 'NAT64 of an allowed IPv4, RFC 6052' };
  yield { ...pin, when: logic.and(isPrivate, exempt), rule: 'pinPrivateCIDRs' };
  yield { ...pin, when: always, rule: 'global unicast, in no registry' };
}

/** Registry entries that forbid what is not exempt. */
function* ownRefusals<Address, Truth>(
  family: 4 | 6,
  address: Address,
  logic: AddressLogic<Address, Truth>,
): Generator<{ readonly when: Truth; readonly rule: string }, void, undefined> {
  for (const entry of privateBlocks[family]) {
    const when = logic.within(address, entry);
    if (when !== logic.never) yield { when, rule: entry.rule };
  }
  if (family === 6) yield { when: logic.not(logic.within(address, unicast)), rule: 'outside 2000::/3' };
}

/** An IPv4-mapped address is its IPv4, pinned or not. */
function* mappedRules<Address, Truth>(
  policy: Policy,
  address: Address,
  logic: AddressLogic<Address, Truth>,
): Rules<Truth> {
  const isMapped = logic.within(address, mapped);
  if (isMapped === logic.never) return;
  for (const inner of addressRules(policy, 4, logic.ipv4At(address, lowBits), logic)) {
    yield { ...inner, when: logic.and(isMapped, inner.when), as: 'its IPv4' };
  }
}

/** What one embedding refuses; that it allows says nothing yet. */
function* embeddedRefusals<Address, Truth>(
  policy: Policy,
  { how, ipv4, zeroUOctet, matches }: EmbeddingRule,
  address: Address,
  logic: AddressLogic<Address, Truth>,
): Rules<Truth> {
  const matching = matches(address, logic);
  if (matching === logic.never) return;
  if (zeroUOctet) {
    const badUOctet = logic.and(matching, logic.not(logic.equals(address, uOctet, 0n)));
    const rule = `${how}: bits 64 to 71 are not zero, RFC 6052`;
    yield { when: badUOctet, mayPin: false, as: 'itself', rule };
  }
  for (const inner of addressRules(policy, 4, logic.ipv4At(address, ipv4), logic)) {
    if (inner.mayPin) continue;
    yield { ...inner, when: logic.and(matching, inner.when), rule: `${how} of ${inner.rule}` };
  }
}
