/**
 * Messages of a hostile upstream or forger, by family, made from the query as it was sent: whoever attacks a resolver
 * over the wire can draw from these, and the fuzzer of the codec does.
 */
import * as fc from 'fast-check';
import { type Labels, type ModelQuestion, questionOf, types } from '../models/dns-message.ts';
import {
  type Damage,
  damaged,
  encodeSketch,
  plainName,
  type Sketch,
  type SketchName,
  type SketchRecord,
  shortName,
} from '../models/dns-sketch.ts';
import { ttlArbitrary } from './dns.ts';
import { hostileName, pointingName } from './dns-hostile-names.ts';
import {
  damageArbitrary,
  hostileRecord,
  lyingCounts,
  optRecord,
  tsigRecord,
  withLyingLength,
} from './dns-hostile-records.ts';
import { recordsOfOneKind } from './dns-large-messages.ts';

export const replyFamilies = [
  'honest',
  'forged',
  'chain',
  'records',
  'sections',
  'counts',
  'compression',
  'edns',
  'trailing',
  'cut',
  'noise',
  'large',
] as const;
export type ReplyFamily = (typeof replyFamilies)[number];

export interface HostileReply {
  readonly family: ReplyFamily;
  /** @param sent the query as it went upstream: one uncompressed question */
  octetsFor(sent: Uint8Array): Uint8Array;
}

type MakeSketch = (sent: Uint8Array) => Sketch;

const aliases: readonly Labels[] = [
  ['alias', 'cdn', 'net'],
  ['second', 'cdn', 'net'],
  ['com'],
  ['A.b', 'net'],
  ['\u00c0', 'net'],
  ['\u00e0', 'net'],
];
/** Stands for the name of the question until the query is there. */
const asked: Labels = ['<question>'];
const placeNames: readonly Labels[] = [asked, asked, ...aliases];

/** The header and question of an honest reply. */
function opening(sent: Uint8Array): Sketch & { readonly question: ModelQuestion } {
  const question = questionOf(Buffer.from(sent).toString('hex'));
  return {
    id: ((sent[0] ?? 0) << 8) | (sent[1] ?? 0),
    flags: 0x8180,
    question,
    questions: [{ ...question, name: plainName(question.name) }],
    answers: [],
    authority: [],
    additional: [],
  };
}

/** The question's own name where it was meant; its letters in lower case, as an authority may write them. */
function placed(name: SketchName, question: Labels): SketchName {
  if (name.labels.at(-1) !== asked[0]) return name;
  const own = question.map((label) => label.toLowerCase());
  return { ...name, labels: [...name.labels.slice(0, -1), ...own] };
}

function placedRecords(records: readonly SketchRecord[], question: Labels): SketchRecord[] {
  return records.map((record) => ({
    ...record,
    owner: placed(record.owner, question),
    data: 'name' in record.data ? { name: placed(record.data.name, question) } : record.data,
  }));
}

const records = (most: number) => fc.array(withLyingLength(hostileRecord(placeNames)), { maxLength: most });

/** A chain of aliases and then addresses, compressed or not, as a server in order writes it. */
const orderly: fc.Arbitrary<(question: ModelQuestion) => SketchRecord[]> = fc
  .record({
    links: fc.constantFrom(0, 0, 1, 2, 15, 16, 17),
    addresses: fc.constantFrom(0, 1, 2, 4, 29, 63, 64, 65, 70),
    compressed: fc.boolean(),
    ttls: fc.array(ttlArbitrary, { minLength: 1, maxLength: 3 }),
  })
  .map(({ links, addresses, compressed, ttls }) => ({ name, type }) => {
    const written = compressed ? shortName : plainName;
    const nameAt = (step: number) => written(step === 0 ? name : [`c${step}`, 'cdn', 'net']);
    const ttl = (at: number) => ttls[at % ttls.length] ?? 60;
    const chain = Array.from({ length: links }, (_, step): SketchRecord => {
      const data = { name: nameAt(step + 1) };
      return { owner: nameAt(step), type: types.cname, class: 1, ttl: ttl(step), data };
    });
    const ends = Array.from({ length: addresses }, (_, at): SketchRecord => {
      const octets = type === types.aaaa ? [0x26, 6, 0x28, ...Array(12).fill(1), at] : [93, 184, 216, at];
      return { owner: nameAt(links), type, class: 1, ttl: ttl(at + links), data: { octets } };
    });
    return [...chain, ...ends];
  });

function from<T>(values: fc.Arbitrary<T>, make: (base: ReturnType<typeof opening>, value: T) => Sketch) {
  return values.map(
    (value): MakeSketch =>
      (sent) =>
        make(opening(sent), value),
  );
}

const honest = from(orderly, (base, answers) => ({ ...base, answers: answers(base.question) }));
const some = from(records(6), (base, own) => ({ ...base, answers: placedRecords(own, base.question.name) }));

function varied<T>(
  inner: fc.Arbitrary<MakeSketch>,
  values: fc.Arbitrary<T>,
  change: (s: Sketch, v: T) => Sketch,
) {
  return fc.tuple(inner, values).map(
    ([make, value]): MakeSketch =>
      (sent) =>
        change(make(sent), value),
  );
}

const anyWord = fc.integer({ min: 0, max: 65_535 });

/** What RFC 5452 has a resolver compare, one of it changed; and the codes and bits of the header. */
const forged = varied(
  fc.oneof(honest, some),
  fc.oneof(
    fc.record({ id: anyWord }),
    fc.record({ flags: fc.oneof(fc.constantFrom(0x0100, 0x8380, 0x8183, 0x8182, 0x8180, 0x8980), anyWord) }),
    fc.record({ name: fc.oneof(hostileName, pointingName, fc.constant(plainName(['example', 'com']))) }),
    fc.record({ type: fc.constantFrom(0, 1, 5, 28, 255) }),
    fc.record({ class: fc.constantFrom(0, 1, 3, 255) }),
    fc.record({ twice: fc.constantFrom(0, 2) }),
  ),
  (sketch, change) => {
    const [question] = sketch.questions;
    if ('id' in change || 'flags' in change || question === undefined) return { ...sketch, ...change };
    if ('twice' in change) return { ...sketch, questions: Array(change.twice).fill(question) };
    return { ...sketch, questions: [{ ...question, ...change }] };
  },
);

/** Aliases that branch, loop, come last, or lead to where nothing is. */
const chain = from(
  fc.array(
    fc.record({
      owner: fc.constantFrom(...placeNames),
      target: fc.constantFrom(...placeNames),
      ttl: ttlArbitrary,
    }),
    { minLength: 1, maxLength: 5 },
  ),
  (base, links) => {
    const { type, name } = base.question;
    const octets = type === types.aaaa ? [0x26, 6, 0x28, ...Array(13).fill(1)] : [93, 184, 216, 34];
    const own = links.flatMap(({ owner, target, ttl }): SketchRecord[] => [
      { owner: shortName(target), type, class: 1, ttl, data: { octets } },
      { owner: shortName(owner), type: types.cname, class: 1, ttl, data: { name: shortName(target) } },
    ]);
    return { ...base, answers: placedRecords(own, name) };
  },
);

const sectioned = from(fc.tuple(records(3), records(3), records(3)), (base, parts) => {
  const [answers = [], authority = [], additional = []] = parts.map((own) =>
    placedRecords(own, base.question.name),
  );
  return { ...base, answers, authority, additional };
});

const sketches: Readonly<Record<Exclude<ReplyFamily, 'large' | 'cut' | 'noise'>, fc.Arbitrary<MakeSketch>>> =
  {
    honest,
    forged,
    chain,
    records: some,
    sections: sectioned,
    counts: varied(fc.oneof(honest, sectioned), lyingCounts, (sketch, counts) => ({ ...sketch, counts })),
    compression: varied(some, fc.array(pointingName, { minLength: 1, maxLength: 3 }), (sketch, names) => ({
      ...sketch,
      answers: [
        ...sketch.answers.slice(0, 2),
        ...names.map(
          (name, at): SketchRecord => ({
            owner: at === 0 ? shortName(sketch.questions[0]?.name.labels ?? []) : name,
            type: at % 2 === 0 ? types.cname : types.a,
            class: 1,
            ttl: 60,
            data: at % 2 === 0 ? { name } : { octets: [93, 184, 216, 34] },
          }),
        ),
      ],
    })),
    edns: varied(
      honest,
      fc.record({
        opts: fc.array(optRecord, { minLength: 1, maxLength: 2 }),
        signed: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: tsigRecord }),
        section: fc.constantFrom('additional' as const, 'answers' as const, 'authority' as const),
      }),
      (sketch, { opts, signed, section }) => {
        const own = signed === null ? opts : [...opts, signed];
        return { ...sketch, [section]: [...sketch[section], ...own] };
      },
    ),
    trailing: varied(
      fc.oneof(honest, some),
      fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 6 }),
      (sketch, trailing) => ({ ...sketch, trailing }),
    ),
  };

const crowd = from(recordsOfOneKind, (base, kind) => ({ ...base, answers: kind(base.question.name) })).map(
  (make) => (sent: Uint8Array) => encodeSketch(make(sent)),
);

function octetsOf(family: ReplyFamily): fc.Arbitrary<(sent: Uint8Array) => Uint8Array> {
  if (family === 'large') return crowd;
  if (family !== 'cut' && family !== 'noise')
    return sketches[family].map((make) => (sent) => encodeSketch(make(sent)));
  const bends: fc.Arbitrary<readonly Damage[]> =
    family === 'cut'
      ? fc.nat({ max: 600 }).map((octets) => [{ how: 'cut', octets }])
      : fc.array(damageArbitrary, { minLength: 1, maxLength: 4 });
  return fc.tuple(fc.oneof(honest, some, sectioned), bends).map(
    ([make, damage]) =>
      (sent) =>
        damaged(encodeSketch(make(sent)), damage),
  );
}

/** Hostile replies of these families, all in equal parts but the large ones, which are rare. */
export function hostileReply(families: readonly ReplyFamily[] = replyFamilies): fc.Arbitrary<HostileReply> {
  return fc.oneof(
    ...families.map((family) => ({
      weight: family === 'large' ? 1 : 12,
      arbitrary: octetsOf(family).map((octetsFor): HostileReply => ({ family, octetsFor })),
    })),
  );
}
