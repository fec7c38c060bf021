/** Messages of up to 64 KiB that make a careless reader walk the same octets again and again (RFC 9267). */
import * as fc from 'fast-check';
import { type Labels, types } from '../models/dns-message.ts';
import { mostOctets, plainName, type SketchName, type SketchRecord } from '../models/dns-sketch.ts';
import { nameOfOctets } from './dns-hostile-names.ts';

/** Records that stand directly behind the one question of a message, by the labels of its name. */
export type RecordKind = (asked: Labels) => readonly SketchRecord[];

/** A TXT record full of pointers, each to the one before, and records owned by rungs of that ladder. */
const pointerLadder: fc.Arbitrary<RecordKind> = fc
  .record({
    /** So many rungs, so many records that are owned by one, and what stands before each pointer. */
    shape: fc.constantFrom<readonly [number, number, string]>(
      [127, 4_000, ''],
      [254, 4_000, ''],
      [11, 4_000, ''],
      [254, 1, ''],
      [255, 1, ''],
      [8_000, 40, ''],
      [120, 40, 'a'],
      [127, 40, 'a'],
    ),
    /** Owners in turn: the last rung, or each of the last so many. */
    spread: fc.constantFrom(1, 2, 100),
  })
  .map(
    ({ shape: [rungs, records, label], spread }): RecordKind =>
      (asked) => {
        const text = { type: types.txt, class: 1, ttl: 0 };
        // Header, question, and the owner and fixed part of the record that holds the ladder.
        const start = 12 + octetsIn(asked) + 4 + 11;
        const step = label === '' ? 2 : 4;
        const rung = (index: number): SketchName => ({
          labels: label === '' ? [] : [label],
          ending: { pointer: index <= 0 ? 12 : start + step * (index - 1) },
        });
        const ladder = Array.from({ length: rungs }, (_, index) => octetsOfName(rung(index))).flat();
        const owned = Array.from({ length: records }, (_, index): SketchRecord => {
          const owner = { ...rung(rungs - (index % spread)), labels: [] };
          return { ...text, owner, data: { octets: [] } };
        });
        return [{ ...text, owner: plainName([]), data: { octets: ladder } }, ...owned];
      },
  );

function octetsOfName({ labels, ending }: SketchName): number[] {
  const target = typeof ending === 'string' || typeof ending.pointer !== 'number' ? 12 : ending.pointer;
  return [
    ...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
    0xc0 | ((target >> 8) & 0x3f),
    target & 255,
  ];
}

const toQuestion: SketchName = { labels: [], ending: { pointer: 'question' } };
const count = fc.constantFrom(63, 64, 65, 600, 2_300);

function addressAt(index: number, type: number): SketchRecord {
  const tail = [(index >> 8) & 255, index & 255];
  const octets = type === types.aaaa ? [0x26, 6, 0x28, ...Array(11).fill(1), ...tail] : [93, 184, ...tail];
  return { owner: toQuestion, type, class: 1, ttl: 60, data: { octets } };
}

/** Owners and targets of 248 octets each, two octets long where they stand, at a place that no name began at before. */
function aliasesOf(asked: Labels, amount: number): SketchRecord[] {
  const long = ['a', ...nameOfOctets(250).slice(1)];
  const record = { type: types.cname, class: 1, ttl: 60 };
  const behindItsLabel = 12 + octetsIn(asked) + 4 + 2 + 10 + 2;
  const inside: SketchName = { labels: [], ending: { pointer: behindItsLabel } };
  return [
    { ...record, owner: toQuestion, data: { name: plainName(long) } },
    ...Array.from({ length: amount }, () => ({ ...record, owner: inside, data: { name: inside } })),
  ];
}

function octetsIn(labels: Labels): number {
  return labels.reduce((sum, label) => sum + label.length + 1, 1);
}

export const kinds = ['same', 'distinct', 'refused', 'aliases', 'links', 'long owners'] as const;
export type Kind = (typeof kinds)[number];

/** So many records of one kind; addresses are of the type. */
export function recordsOf(kind: Kind, amount: number, type: number): RecordKind {
  const each = (make: (index: number) => SketchRecord) => Array.from({ length: amount }, (_, at) => make(at));
  return (owner) => {
    switch (kind) {
      case 'same':
        return each((index) => addressAt(index % 63, type));
      case 'distinct':
        return each((index) => addressAt(index, type));
      case 'refused':
        return each((index) => ({
          ...addressAt(index, types.a),
          data: { octets: [10, 0, index >> 8, index] },
        }));
      case 'aliases':
        return aliasesOf(owner, amount);
      case 'links':
        return each((index) => link(owner, index, amount));
      case 'long owners':
        return each((index) => ({ ...addressAt(index, type), owner: plainName(nameOfOctets(255)) })).slice(
          0,
          Math.floor(mostOctets / 280),
        );
    }
  };
}

const records: fc.Arbitrary<RecordKind> = fc
  .record({
    kind: fc.constantFrom(...kinds),
    amount: count,
    type: fc.constantFrom<number>(types.a, types.aaaa),
  })
  .map(({ kind, amount, type }) => recordsOf(kind, amount, type));

/** Up to 64 KiB of what a reader may have to walk. */
export const recordsOfOneKind: fc.Arbitrary<RecordKind> = fc.oneof(pointerLadder, records);

/** A CNAME chain backwards, so that each link is found last. */
function link(owner: Labels, index: number, records: number): SketchRecord {
  const at = records - 1 - index;
  const name = (step: number): SketchName => plainName(step === 0 ? owner : [`c${step}`, 'net']);
  return { owner: name(at), type: types.cname, class: 1, ttl: 60, data: { name: name(at + 1) } };
}
