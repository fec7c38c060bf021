/** Records, options and damage as a hostile sender makes them, for queries and replies alike. */
import * as fc from 'fast-check';
import { type Labels, types } from '../models/dns-message.ts';
import {
  type Damage,
  plainName,
  type SketchName,
  type SketchRecord,
  shortName,
} from '../models/dns-sketch.ts';
import { ttlArbitrary } from './dns.ts';
import { hostileName, pointingName } from './dns-hostile-names.ts';

const tsig = 250;
const octet = fc.integer({ min: 0, max: 255 });
const anyWord = fc.oneof(fc.constantFrom(0, 1, 2, 255, 65_535), fc.integer({ min: 0, max: 65_535 }));

const ecs = [0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2];
const cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const optionThatLies = [0, 10, 0, 200, 1];

interface OptShape {
  readonly payload: number;
  /** Extended RCODE, version, flags. */
  readonly ttl: number;
  readonly octets: readonly number[];
  readonly owner: SketchName;
}

const optShape: fc.Arbitrary<OptShape> = fc.record({
  payload: fc.constantFrom(0, 511, 512, 513, 1_232, 1_233, 4_096, 65_535),
  ttl: fc.constantFrom(0, 0x8000, 0x0001_0000, 0x00ff_0000, 0x0100_0000, 0xffff_ffff),
  octets: fc.constantFrom<readonly number[]>([], ecs, cookie, [...ecs, ...cookie], optionThatLies, [1]),
  owner: fc.oneof(
    { weight: 5, arbitrary: fc.constant(plainName([])) },
    { weight: 1, arbitrary: fc.constantFrom(plainName(['x']), shortName(['example', 'com'])) },
  ),
});

/** An OPT record, as it should be or not: payload, version, extended RCODE, options, owner. */
export const optRecord: fc.Arbitrary<SketchRecord> = optShape.map(({ payload, ttl, octets, owner }) => ({
  owner,
  type: types.opt,
  class: payload,
  ttl,
  data: { octets },
}));

/** An OPT of the version that is spoken, owned by the root; payload, extended RCODE, flags and options at will. */
export const spokenOpt: fc.Arbitrary<SketchRecord> = optRecord.map((one) => ({
  ...one,
  owner: plainName([]),
  ttl: (one.ttl & 0xff00_ffff) >>> 0,
}));

/** A TSIG as it looks at the end of a signed message (RFC 8945): HMAC-SHA256, or octets that are none. */
export const tsigRecord: fc.Arbitrary<SketchRecord> = fc.constantFrom(true, false).map((whole) => ({
  owner: plainName(['key']),
  type: tsig,
  class: 255,
  ttl: 0,
  data: {
    octets: whole
      ? [11, ...Buffer.from('hmac-sha256'), 0, 0, 0, 1, 2, 3, 4, 1, 44, 0, 4, 9, 9, 9, 9, 18, 52, 0, 0, 0, 0]
      : [1],
  },
}));

const addressOctets = fc.constantFrom<readonly number[]>(
  [93, 184, 216, 34],
  [1, 1, 1, 1],
  [8, 8, 8, 8],
  [169, 254, 169, 254],
  [10, 0, 0, 1],
  [168, 63, 129, 16],
  [0, 0, 0, 0],
);
const ipv6Octets = fc.constantFrom<readonly number[]>(
  [0x26, 6, 0x28, 0, 2, 0x20, 0, 1, 2, 0x48, 0x18, 0x93, 0x25, 0xc8, 0x19, 0x46],
  [0x2a, 0, 0x14, 0x50, 0x40, 1, 8, 2, 0, 0, 0, 0, 0, 0, 0x20, 0x0e],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 93, 184, 216, 34],
  [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 169, 254, 169, 254],
  [0x20, 0x02, 0xa9, 0xfe, 0xa9, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
);

/** Octets of an address of the type; one in twelve of another length. */
function addressData(type: number): fc.Arbitrary<SketchRecord['data']> {
  const whole = type === types.a ? addressOctets : ipv6Octets;
  return fc
    .tuple(whole, fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1, 12, -4))
    .map(([octets, off]) => ({
      octets: Array.from({ length: octets.length + off }, (_, at) => octets[at] ?? 7),
    }));
}

/** Mostly class IN; now and then another. */
export const recordClass = fc.oneof(
  { weight: 12, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.oneof(fc.constantFrom(0, 3, 4, 254, 255), anyWord) },
);

/** Names as data of an alias: one of these, or any that a hostile sender writes. */
function targetName(names: readonly Labels[]): fc.Arbitrary<SketchName> {
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(fc.constantFrom(...names), fc.boolean())
        .map(([labels, short]) => (short ? shortName(labels) : plainName(labels))),
    },
    { weight: 1, arbitrary: hostileName },
    { weight: 1, arbitrary: pointingName },
  );
}

/** A record about one of these names, or about none: address, alias, unknown type, OPT or TSIG out of place. */
export function hostileRecord(names: readonly Labels[]): fc.Arbitrary<SketchRecord> {
  const about = targetName(names);
  const shaped = <T>(type: fc.Arbitrary<number>, data: fc.Arbitrary<T>) =>
    fc.record({ owner: about, type, class: recordClass, ttl: ttlArbitrary, data });
  const raw = fc.array(octet, { maxLength: 20 }).map((octets): SketchRecord['data'] => ({ octets }));
  return fc.oneof(
    { weight: 6, arbitrary: shaped(fc.constant<number>(types.a), addressData(types.a)) },
    { weight: 5, arbitrary: shaped(fc.constant<number>(types.aaaa), addressData(types.aaaa)) },
    {
      weight: 7,
      arbitrary: shaped(
        fc.constant<number>(types.cname),
        about.map((name): SketchRecord['data'] => ({ name })),
      ),
    },
    {
      weight: 1,
      arbitrary: shaped(fc.constantFrom<number>(types.ns, types.soa, types.txt, types.https), raw),
    },
    { weight: 1, arbitrary: shaped(anyWord, raw) },
    { weight: 1, arbitrary: optRecord },
    { weight: 1, arbitrary: tsigRecord },
  );
}

/** RDLENGTH that lies, for one record in twelve or so. */
export function withLyingLength(record: fc.Arbitrary<SketchRecord>): fc.Arbitrary<SketchRecord> {
  return fc
    .tuple(record, fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1, 65_535))
    .map(([one, lengthOff]) => ({ ...one, lengthOff }));
}

/** Counts that lie: 0, one more, 65535. */
export const lyingCounts: fc.Arbitrary<readonly (number | null)[]> = fc.tuple(
  fc.constantFrom(null, null, null, 0, 1, 2, 65_535),
  ...Array.from({ length: 3 }, () => fc.constantFrom(null, null, 0, 1, 2, 3, 255, 65_535)),
);

const place = fc.nat({ max: 300 });
export const damageArbitrary: fc.Arbitrary<Damage> = fc.oneof(
  fc.nat({ max: 300 }).map((octets): Damage => ({ how: 'cut', octets })),
  fc
    .tuple(place, fc.oneof(octet, fc.constantFrom(0, 1, 12, 63, 64, 128, 191, 192, 255)))
    .map(([at, value]): Damage => ({ how: 'set', at, octet: value })),
  fc
    .tuple(place, fc.array(octet, { minLength: 1, maxLength: 4 }))
    .map(([at, octets]): Damage => ({ how: 'insert', at, octets })),
  fc
    .tuple(place, fc.integer({ min: 1, max: 20 }))
    .map(([at, count]): Damage => ({ how: 'remove', at, count })),
  fc
    .tuple(place, fc.integer({ min: 1, max: 40 }))
    .map(([at, count]): Damage => ({ how: 'repeat', at, count })),
  fc
    .tuple(place, fc.oneof(fc.nat({ max: 140 }), fc.constantFrom(0, 11, 12, 0x3fff)))
    .map(([at, target]): Damage => ({ how: 'point', at, target })),
);
