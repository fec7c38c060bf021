/**
 * Messages of a hostile guest, by family: whoever attacks a resolver over the wire can draw from these, and the fuzzer
 * of the codec does.
 */
import * as fc from 'fast-check';
import { type Labels, types } from '../models/dns-message.ts';
import { damaged, encodeSketch, plainName, type Sketch, type SketchRecord } from '../models/dns-sketch.ts';
import { allowedNames, otherNames } from './dns.ts';
import { allowedOrOther, hostileLabels, inAnyCase, pointingName } from './dns-hostile-names.ts';
import {
  damageArbitrary,
  hostileRecord,
  lyingCounts,
  optRecord,
  spokenOpt,
  tsigRecord,
  withLyingLength,
} from './dns-hostile-records.ts';
import { recordsOfOneKind } from './dns-large-messages.ts';

export const queryFamilies = [
  'plain',
  'header',
  'counts',
  'names',
  'compression',
  'edns',
  'types',
  'sections',
  'trailing',
  'cut',
  'noise',
  'large',
] as const;
export type QueryFamily = (typeof queryFamilies)[number];

export interface HostileQuery {
  readonly family: QueryFamily;
  readonly octets: Uint8Array;
}

const names: readonly Labels[] = [...allowedNames, ...otherNames];
const anyWord = fc.integer({ min: 0, max: 65_535 });
const addressType = fc.constantFrom<number>(types.a, types.aaaa);

/** A question as a stub asks it, in any case, with EDNS or without. */
const plain: fc.Arbitrary<Sketch> = fc
  .record({
    id: fc.oneof(fc.constantFrom(0, 0x1234, 0xffff), anyWord),
    flags: fc.constantFrom(0x0100, 0x0100, 0, 0x0110, 0x0120, 0x0130),
    name: inAnyCase(allowedOrOther).map(plainName),
    type: addressType,
    additional: fc.oneof(
      fc.constant<readonly SketchRecord[]>([]),
      spokenOpt.map((one) => [one]),
    ),
  })
  .map(({ id, flags, name, type, additional }) => ({
    id,
    flags,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authority: [],
    additional,
  }));

function changed<T>(values: fc.Arbitrary<T>, change: (sketch: Sketch, value: T) => Sketch) {
  return fc.tuple(plain, values).map(([sketch, value]) => change(sketch, value));
}

const records = fc.array(withLyingLength(hostileRecord(names)), { maxLength: 4 });
const question = (sketch: Sketch) => sketch.questions[0] as Sketch['questions'][number];

const inSections = changed(fc.tuple(records, records, records), (sketch, [answers, authority, more]) => ({
  ...sketch,
  answers,
  authority,
  additional: [...sketch.additional, ...more],
}));

const sketches: Readonly<Record<Exclude<QueryFamily, 'large' | 'cut' | 'noise'>, fc.Arbitrary<Sketch>>> = {
  plain,
  header: changed(anyWord, (sketch, flags) => ({ ...sketch, flags })),
  counts: fc
    .tuple(fc.oneof(plain, inSections), lyingCounts)
    .map(([sketch, counts]) => ({ ...sketch, counts })),
  names: changed(hostileLabels.map(plainName), (sketch, name) => ({
    ...sketch,
    questions: [{ ...question(sketch), name }],
  })),
  compression: fc
    .tuple(
      inSections,
      fc.oneof({ weight: 1, arbitrary: pointingName }, { weight: 3, arbitrary: fc.constant(null) }),
    )
    .map(([sketch, name]) =>
      name === null ? sketch : { ...sketch, questions: [{ ...question(sketch), name }] },
    ),
  edns: changed(
    fc.record({
      opts: fc.array(optRecord, { minLength: 1, maxLength: 2 }),
      signed: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: tsigRecord }),
      section: fc.constantFrom(
        'additional' as const,
        'additional' as const,
        'answers' as const,
        'authority' as const,
      ),
    }),
    (sketch, { opts, signed, section }) => {
      const own = signed === null ? opts : [...opts, signed];
      return { ...sketch, additional: [], [section]: own };
    },
  ),
  types: changed(
    fc.tuple(
      fc.oneof(fc.constantFrom(0, 2, 5, 6, 16, 33, 41, 64, 65, 250, 252, 255, 65_535), anyWord),
      fc.constantFrom(1, 1, 1, 0, 3, 4, 254, 255, 65_535),
    ),
    (sketch, [type, own]) => ({ ...sketch, questions: [{ ...question(sketch), type, class: own }] }),
  ),
  sections: inSections,
  trailing: changed(
    fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 6 }),
    (sketch, trailing) => ({
      ...sketch,
      trailing,
    }),
  ),
};

/** 64 KiB of what a reader may have to walk. */
const large = changed(recordsOfOneKind, (sketch, kind) => ({
  ...sketch,
  additional: kind(question(sketch).name.labels),
})).map(encodeSketch);

function octetsOf(family: QueryFamily): fc.Arbitrary<Uint8Array> {
  if (family === 'large') return large;
  if (family === 'cut' || family === 'noise') {
    const whole = fc.oneof(plain, inSections).map(encodeSketch);
    const damage =
      family === 'cut'
        ? fc.nat({ max: 400 }).map((octets) => [{ how: 'cut' as const, octets }])
        : fc.array(damageArbitrary, { minLength: 1, maxLength: 4 });
    return fc.tuple(whole, damage).map(([octets, bends]) => damaged(octets, bends));
  }
  return sketches[family].map(encodeSketch);
}

/** Hostile queries of these families, all in equal parts but the large ones, which are rare. */
export function hostileQuery(families: readonly QueryFamily[] = queryFamilies): fc.Arbitrary<HostileQuery> {
  return fc.oneof(
    ...families.map((family) => ({
      weight: family === 'large' ? 1 : 12,
      arbitrary: octetsOf(family).map((octets) => ({ family, octets })),
    })),
  );
}

/** A question that goes upstream, in any case, with any EDNS that may be. */
export const honestQuery: fc.Arbitrary<HostileQuery> = changed(
  fc.tuple(fc.constantFrom(...allowedNames), addressType),
  (sketch, [name, type]) => ({ ...sketch, questions: [{ name: plainName(name), type, class: 1 }] }),
).map((sketch) => ({ family: 'plain', octets: encodeSketch(sketch) }));
