/** Messages of up to 64 KiB that make a careless reader walk the same octets again and again (RFC 9267). */
import * as fc from 'fast-check';
import { type Labels, types } from '../models/dns-message.ts';
import {
  encodeSketch,
  mostOctets,
  plainName,
  type SketchName,
  type SketchRecord,
} from '../models/dns-sketch.ts';
import { nameOfOctets } from './dns-hostile-names.ts';

const flagsOfReply = 0x8180;
const recordOctets = 11;

/** A TXT record full of pointers, each to the one before, and records owned by rungs of that ladder. */
export const pointerLadder: fc.Arbitrary<{ readonly octets: Uint8Array }> = fc
  .record({
    rungs: fc.constantFrom(2, 126, 127, 128, 254, 255, 256, 1_000, 8_000),
    records: fc.constantFrom(0, 1, 40, 1_000, 4_000),
    /** Owners in turn: the last rung, or each of the last so many. */
    spread: fc.constantFrom(1, 2, 120),
    label: fc.constantFrom('', 'a'),
  })
  .map(({ rungs, records, spread, label }) => {
    const question: Labels = ['example', 'com'];
    const start = 12 + 13 + 4 + recordOctets;
    const rung = (index: number): SketchName => ({
      labels: label === '' ? [] : [label],
      ending: { pointer: index <= 0 ? 12 : start + (label === '' ? 2 : 4) * (index - 1) },
    });
    const ladder = Array.from({ length: rungs }, (_, index) => octetsOfName(rung(index))).flat();
    const text = { type: types.txt, class: 1, ttl: 0 };
    const owned = Array.from({ length: records }, (_, index): SketchRecord => {
      const owner = { ...rung(rungs - (index % spread)), labels: [] };
      return { ...text, owner, data: { octets: [] } };
    });
    const answers = [{ ...text, owner: plainName([]), data: { octets: ladder } }, ...owned];
    const questions = [{ name: plainName(question), type: types.a, class: 1 }];
    const sketch = { id: 7, flags: flagsOfReply, questions, answers, authority: [], additional: [] };
    return { octets: encodeSketch(sketch) };
  });

function octetsOfName({ labels, ending }: SketchName): number[] {
  const target = typeof ending === 'string' || typeof ending.pointer !== 'number' ? 12 : ending.pointer;
  return [
    ...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
    0xc0 | ((target >> 8) & 0x3f),
    target & 255,
  ];
}

/** Very many records about the name that is asked for. */
export type RecordKind = (owner: Labels) => readonly SketchRecord[];

const toQuestion: SketchName = { labels: [], ending: { pointer: 'question' } };
const count = fc.constantFrom(63, 64, 65, 600, 4_200);

function addressAt(index: number, type: number): SketchRecord {
  const tail = [(index >> 8) & 255, index & 255];
  const octets = type === types.aaaa ? [0x26, 6, 0x28, ...Array(11).fill(1), ...tail] : [93, 184, ...tail];
  return { owner: toQuestion, type, class: 1, ttl: 60, data: { octets } };
}

/** Names of 250 octets that differ near their end, each two octets long where it stands. */
function aliasesOf(own: Labels, records: number): SketchRecord[] {
  const long = nameOfOctets(250);
  const start = 12 + own.reduce((sum, label) => sum + label.length + 1, 1) + 4;
  const first = {
    owner: toQuestion,
    type: types.cname,
    class: 1,
    ttl: 60,
    data: { name: plainName(['a', ...long.slice(1)]) },
  };
  const other = { ...first, data: { name: plainName(['a', ...long.slice(1, -1), 'tesu']) } };
  const there = start + 12 + octetsIn(['a', ...long.slice(1)]) + 12;
  const target: SketchName = { labels: [], ending: { pointer: there } };
  return [
    first,
    { ...other, owner: plainName(['z']) },
    ...Array.from({ length: records }, () => ({ ...first, owner: target, data: { name: toQuestion } })),
  ];
}

function octetsIn(labels: Labels): number {
  return labels.reduce((sum, label) => sum + label.length + 1, 1);
}

export const recordsOfOneKind: fc.Arbitrary<RecordKind> = fc
  .record({
    records: count,
    kind: fc.constantFrom('same', 'distinct', 'refused', 'aliases', 'links', 'long owners'),
    type: fc.constantFrom<number>(types.a, types.aaaa),
  })
  .map(({ records, kind, type }): RecordKind => {
    const each = (make: (index: number) => SketchRecord) =>
      Array.from({ length: records }, (_, at) => make(at));
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
          return aliasesOf(owner, records);
        case 'links':
          return each((index) => link(owner, index, records));
        default:
          return each((index) => ({ ...addressAt(index, type), owner: plainName(nameOfOctets(255)) })).slice(
            0,
            Math.floor(mostOctets / 280),
          );
      }
    };
  });

/** A CNAME chain backwards, so that each link is found last. */
function link(owner: Labels, index: number, records: number): SketchRecord {
  const at = records - 1 - index;
  const name = (step: number): SketchName => plainName(step === 0 ? owner : [`c${step}`, 'net']);
  return { owner: name(at), type: types.cname, class: 1, ttl: 60, data: { name: name(at + 1) } };
}
