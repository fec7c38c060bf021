/**
 * Generators of DNS cases: names on and off the allowlist, records an attacker adds, messages cut and bent.
 */
import * as fc from 'fast-check';
import { type Labels, type ModelData, type ModelRecord, types } from '../models/dns-message.ts';
import type { DnsConfig } from '../models/dns-session.ts';
import { defaultDnsPolicy } from '../protocol/dns-policy.ts';

export const dnsConfig: DnsConfig = defaultDnsPolicy;

/** Names that the default policy allows; the longest label there can be is one of them. */
export const allowedNames: readonly Labels[] = [
  ['example', 'com'],
  ['a', 'wild', 'test'],
  ['x', 'y', 'wild', 'test'],
  ['time', 'test'],
  ['l'.repeat(63), 'wild', 'test'],
  ['_sip', 'wild', 'test'],
];
export const otherNames: readonly Labels[] = [
  ['attacker', 'net'],
  ['com'],
  ['wild', 'test'],
  ['evilexample', 'com'],
  ['alias', 'cdn', 'net'],
];

export const allowedName = fc.constantFrom(...allowedNames);
export const anyName = fc.oneof(allowedName, fc.constantFrom(...otherNames));

export const randomness = fc.record({
  id: fc.oneof(fc.constantFrom(0, 0x1234, 0xffff), fc.integer({ min: 0, max: 0xffff })),
  caseBits: fc.constantFrom('00', 'ff', '5a', 'c3').map((octet) => octet.repeat(32)),
});

export const addressTypes = [types.a, types.aaaa] as const;
export const addressType = fc.constantFrom(...addressTypes);

const publicV4 = fc.constantFrom([93, 184, 216, 34], [142, 250, 185, 78], [1, 1, 1, 1], [8, 8, 8, 8]);
const publicV6 = fc.constantFrom(
  [0x26, 0x06, 0x28, 0, 2, 0x20, 0, 1, 2, 0x48, 0x18, 0x93, 0x25, 0xc8, 0x19, 0x46],
  [0x2a, 0, 0x14, 0x50, 0x40, 1, 8, 2, 0, 0, 0, 0, 0, 0, 0x20, 0x0e],
);
const hostileV4 = fc.constantFrom([169, 254, 169, 254], [10, 0, 0, 1], [168, 63, 129, 16]);

/** TTLs where an off-by-one or a sign shows (RFC 2181 section 8). */
export const ttlArbitrary = fc.constantFrom(
  0,
  1,
  29,
  30,
  31,
  60,
  299,
  300,
  301,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
);

/** Octets of a public address of the type. */
export function publicAddress(type: number): fc.Arbitrary<readonly number[]> {
  return type === types.aaaa ? publicV6 : publicV4;
}

export function addressRecord(
  owner: Labels,
  type: number,
  address: readonly number[],
  ttl = 60,
): ModelRecord {
  return { owner, type, class: 1, ttl, data: { address } };
}

export function cname(owner: Labels, target: Labels, ttl = 60): ModelRecord {
  return { owner, type: types.cname, class: 1, ttl, data: { target } };
}

/** Any record that may stand in an answer: right or wrong owner, class, type. */
export function recordAbout(names: readonly Labels[]): fc.Arbitrary<ModelRecord> {
  const owner = fc.constantFrom(...names);
  const recordClass = fc.oneof(
    { weight: 5, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constantFrom(3, 4, 254, 255) },
  );
  const shape = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant<number>(types.a),
        data: fc.oneof(publicV4, hostileV4).map((address): ModelData => ({ address })),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant<number>(types.aaaa),
        data: publicV6.map((address): ModelData => ({ address })),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant<number>(types.cname),
        data: owner.map((target): ModelData => ({ target })),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ type: types.txt as number, data: { raw: [1, 65] } as ModelData }) },
  );
  return fc
    .tuple(owner, recordClass, ttlArbitrary, shape)
    .map(([name, ownClass, ttl, { type, data }]) => ({ owner: name, class: ownClass, ttl, type, data }));
}
