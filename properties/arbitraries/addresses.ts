/**
 * Generators of addresses and policies: on the edges of every block, inside every embedding, and anywhere.
 */
import * as fc from 'fast-check';
import { addressText, type Interval, intervalOf } from '../oracles/addresses/address-number.ts';
import type { Policy } from '../oracles/addresses/address-oracle.ts';
import {
  type Embedding,
  operatorNat64Prefixes,
  otherEmbeddings,
  sixToFour,
  wellKnownNat64,
} from '../oracles/addresses/embeddings.ts';
import {
  cloudAddresses,
  globalUnicast,
  ipv4Registry,
  ipv6Registry,
} from '../oracles/addresses/registries.ts';

export interface AddressCase {
  readonly policy: Policy;
  readonly address: string;
}

export const emptyPolicy: Policy = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };

const denyPool = [
  '8.8.8.0/24',
  '2a00:1450::/32',
  '93.184.0.0/16',
  '2002:808::/32',
  '64:ff9b::808:800/120',
  '::ffff:808:400/120',
  '0.0.0.0/1',
];
const pinPrivatePool = [
  '10.20.0.0/16',
  '192.168.0.0/16',
  'fd12:3456::/32',
  '0.0.0.0/0',
  '198.18.0.0/15',
  '::/0',
];

/** Every subset that a small number names: deterministic, so that a replay meets the same policy. */
const subset = (pool: readonly string[], bits: number) =>
  pool.filter((_, index) => ((bits >> index) & 1) === 1);

/** 48 policies, the empty one first; shared objects, so that a subject compiles each once. */
export const policies: readonly Policy[] = [
  emptyPolicy,
  ...Array.from({ length: 47 }, (_, index) => ({
    denyCIDRs: subset(denyPool, ((index * 37) % 128) & ((index * 11) % 128)),
    nat64Prefixes: subset(operatorNat64Prefixes, (index * 101 + 7) % 256),
    pinPrivateCIDRs: subset(pinPrivatePool, index % 3 === 0 ? (index * 13) % 64 : 0),
  })),
];

export const policyArbitrary: fc.Arbitrary<Policy> = fc.constantFrom(...policies);

/** The policy that names one operator prefix. */
const policyNaming = new Map(
  operatorNat64Prefixes.map((prefix) => [prefix as string, { ...emptyPolicy, nat64Prefixes: [prefix] }]),
);

/** One below, the first, one inside, the last and one above: where an off-by-one shows. */
function edgesOf({ family, first, last }: Interval): string[] {
  const most = family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
  return [first - 1n, first, first + 1n, (first + last) / 2n, last - 1n, last, last + 1n]
    .filter((value) => value >= 0n && value <= most)
    .map((value) => addressText({ family, value }));
}

const listed = [...ipv4Registry, ...ipv6Registry, ...cloudAddresses].map(({ prefix }) => intervalOf(prefix));
const configured = [globalUnicast, ...operatorNat64Prefixes, ...denyPool].map(intervalOf);
export const edges: readonly string[] = [...listed, ...configured].flatMap(edgesOf);

const listed4 = listed.filter(({ family }) => family === 4);

/** A special-purpose or metadata IPv4: the edges of each block and any address inside. */
export const specialIpv4: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(...listed4.flatMap(({ first, last }) => [first, last])),
  fc.constantFrom(...listed4).chain(({ first, last }) => fc.bigInt({ min: first, max: last })),
);

export const anyIpv4: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: 0xffff_ffffn });
const ipv4Text = anyIpv4.map((value) => addressText({ family: 4, value }));
const ipv6Text = fc
  .bigInt({ min: 0n, max: (1n << 128n) - 1n })
  .map((value) => addressText({ family: 6, value }));
const unicastText = fc
  .bigInt({ min: 1n << 125n, max: (1n << 126n) - 1n })
  .map((value) => addressText({ family: 6, value }));
const filler = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: (1n << 80n) - 1n }));

/** An IPv4 inside an embedding, under a policy that makes it decodable. */
export function embeddedIn(
  embeddings: readonly Embedding[],
  ipv4: fc.Arbitrary<bigint>,
): fc.Arbitrary<AddressCase & { ipv4: string }> {
  return fc.tuple(fc.constantFrom(...embeddings), ipv4, filler).map(([embedding, value, bits]) => ({
    policy: policyNaming.get(embedding.nat64Prefix ?? '') ?? emptyPolicy,
    address: embedding.embed(value, bits),
    ipv4: addressText({ family: 4, value }),
  }));
}

/** Often non-zero bits 64 to 71 under an operator prefix. */
const uOctet = fc
  .tuple(fc.constantFrom(...operatorNat64Prefixes), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }))
  .map(([prefix, bits]) => addressText({ family: 6, value: intervalOf(prefix).first | bits }));

const allEmbeddings = [wellKnownNat64, sixToFour, ...otherEmbeddings];

/** Any address at all, weighted towards where a decision can go wrong. */
export const addressArbitrary: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...edges) },
  {
    weight: 4,
    arbitrary: embeddedIn(allEmbeddings, fc.oneof(specialIpv4, anyIpv4)).map(({ address }) => address),
  },
  { weight: 1, arbitrary: uOctet },
  { weight: 1, arbitrary: ipv4Text },
  { weight: 1, arbitrary: unicastText },
  { weight: 1, arbitrary: ipv6Text },
);

export const addressCase: fc.Arbitrary<AddressCase> = fc.record({
  policy: policyArbitrary,
  address: addressArbitrary,
});

/** The case in the field's notation. */
export function notationOf({ policy, address }: AddressCase): string {
  const parts = Object.entries(policy).filter(([, entries]) => entries.length > 0);
  const text = parts.map(([field, entries]) => `${field} ${entries.join(' ')}`).join('; ');
  return text === '' ? address : `${address}  (${text})`;
}
