/** The wire codec to the octet: every bound of a message, a record and a name, from both sides. */
import { describe, expect, test } from 'vitest';
import { isHostName, nameKey, parseHostName, readName, sameName } from './name.ts';
import { MessageWriter, opcodeOf, readMessage, u16 } from './wire.ts';

const word = (value: number) => [value >> 8, value & 255];
const label = (length: number, letter = 0x61) => [length, ...Array<number>(length).fill(letter)];
const a = [1, 97, 0];
const header = (...counts: number[]) => [0x12, 0x34, 0x81, 0x80, ...counts.flatMap(word)];
const question = (name: readonly number[], type = 1, itsClass = 1) => [
  ...name,
  ...word(type),
  ...word(itsClass),
];
interface Item {
  readonly name?: readonly number[];
  readonly type?: number;
  readonly class?: number;
  readonly ttl?: readonly number[];
  readonly data?: readonly number[];
  readonly length?: number;
}
const record = ({
  name = a,
  type = 1,
  class: itsClass = 1,
  ttl = [0, 0, 0, 60],
  data = [1, 1, 1, 1],
  length,
}: Item) => [
  ...[...name, ...word(type), ...word(itsClass), ...ttl],
  ...[...word(length ?? data.length), ...data],
];
const read = (...parts: readonly (readonly number[])[]) => readMessage(Uint8Array.from(parts.flat()));
const answered = (...items: Item[]) => read(header(1, items.length, 0, 0), question(a), ...items.map(record));
const opt = (payload: number): Item => ({ name: [0], type: 41, class: payload, ttl: [0, 0, 0, 0], data: [] });
const adding = (...items: Item[]) => read(header(1, 0, 0, items.length), question(a), ...items.map(record));

describe('a message', () => {
  test('is always read with its question and where that ends', () => {
    expect(read(header(1, 0, 0, 0), question(a, 0x0102, 0x0304))).toMatchObject({
      question: { type: 0x0102, class: 0x0304, end: 19, name: Uint8Array.from(a) },
      answers: [],
      ednsPayloadOctets: null,
    });
  });

  test('of one question alone is never read with none or two', () => {
    expect(read(header(0, 0, 0, 0))).toBeNull();
    expect(read(header(2, 0, 0, 0), question(a), question(a))).toBeNull();
    expect(read(header(257, 0, 0, 0), question(a))).toBeNull();
  });

  test('is never longer than 65,535 octets', () => {
    const filling = (length: number) => record({ type: 16, data: Array<number>(length).fill(0) });
    const rest = 65_535 - 12 - 7 - 13;
    expect(read(header(1, 1, 0, 0), question(a), filling(rest))?.answers).toHaveLength(1);
    const [one, two] = [filling(1), filling(rest - 13)];
    expect(read(header(1, 2, 0, 0), question(a), one, two)).toBeNull();
  });

  test('is always read in all its sections, of which only answers are kept', () => {
    const four = record({});
    expect(read(header(1, 1, 1, 1), question(a), four, four, four)?.answers).toHaveLength(1);
    expect(read(header(1, 0, 0, 0), question(a), four)).toBeNull();
    for (const counts of [
      [1, 2, 0, 0],
      [1, 0, 2, 0],
      [1, 0, 0, 2],
      [1, 1, 1, 0],
      [1, 0, 1, 1],
    ]) {
      expect(read(header(...counts), question(a), four)).toBeNull();
    }
  });

  test('is never cut within its question', () => {
    const whole = [...header(1, 0, 0, 0), ...question(a)];
    for (let length = 0; length < whole.length; length++) expect(read(whole.slice(0, length))).toBeNull();
    expect(read(whole)).not.toBeNull();
  });

  test('whose question has no name is never read on, though its header would pass for records', () => {
    // As a record, octets 4 to 14 have the root as owner, a type and class that nobody knows, and two octets of data.
    expect(read(header(1, 1, 0, 0), [0x80, 0, 2, 9, 9])).toBeNull();
  });

  test('always tells opcode and RCODE by their four bits', () => {
    const bytes = Uint8Array.of(0, 0, 0b1111_1111, 0b1111_1010);
    expect([opcodeOf(bytes), u16(bytes, 2)]).toEqual([15, 0xfffa]);
    expect(opcodeOf(Uint8Array.of(0, 0, 0b1000_1111))).toBe(1);
  });
});

describe('a record', () => {
  test('is always read with every field', () => {
    expect(answered({ type: 1, class: 1, ttl: [1, 2, 3, 4] })?.answers).toEqual([
      {
        name: Uint8Array.from(a),
        type: 1,
        class: 1,
        ttlSeconds: 0x01020304,
        dataOffset: 32,
        dataLength: 4,
        target: null,
      },
    ]);
    expect(answered({ type: 0x0102, class: 0x0304, data: [9] })?.answers[0]).toMatchObject({
      type: 0x0102,
      class: 0x0304,
    });
  });

  test.each<[string, Item, boolean]>([
    ['an A of 3 octets', { data: [1, 1, 1] }, false],
    ['an A of 5 octets', { data: [1, 1, 1, 1, 1] }, false],
    ['an A of another class and 5 octets', { class: 3, data: [1, 1, 1, 1, 1] }, true],
    ['an AAAA of 16 octets', { type: 28, data: Array(16).fill(1) }, true],
    ['an AAAA of 4 octets', { type: 28 }, false],
    ['an AAAA of another class and 4 octets', { type: 28, class: 3 }, true],
    ['a TXT of no octets', { type: 16, data: [] }, true],
    ['data that is cut', { type: 16, data: [1, 1], length: 3 }, false],
    ['data that goes on', { type: 16, data: [1, 1], length: 1 }, false],
    ['a CNAME', { type: 5, data: a }, true],
    ['a CNAME by pointer', { type: 5, data: [0xc0, 12] }, true],
    ['a CNAME of another class', { type: 5, class: 3, data: [1, 98] }, false],
    ['a CNAME with an octet behind it', { type: 5, data: [...a, 0] }, false],
    ['a CNAME whose name is longer than its data', { type: 5, data: a, length: 2 }, false],
    ['a CNAME that is no name', { type: 5, data: [0x40, 0] }, false],
    ['an owner that is no name', { name: [0x80, 0] }, false],
  ])('is only read whole: %s', (_, item, whole) => {
    expect(answered(item) !== null).toBe(whole);
  });

  test('is never cut anywhere', () => {
    const whole = [...header(1, 1, 0, 0), ...question(a), ...record({ type: 16, data: [] })];
    for (let length = 19; length < whole.length; length++) expect(read(whole.slice(0, length))).toBeNull();
    expect(read(whole)).not.toBeNull();
  });

  test('always has its target, wherever its name stands', () => {
    const target = (data: number[]) => answered({ type: 5, data })?.answers[0]?.target;
    expect(target([1, 98, 0])).toEqual(Uint8Array.of(1, 98, 0));
    expect(target([1, 98, 0xc0, 12])).toEqual(Uint8Array.of(1, 98, 1, 97, 0));
    expect(target([0xc0, 12])).toEqual(Uint8Array.from(a));
  });

  test.each([
    [[0x7f, 0xff, 0xff, 0xff], 2 ** 31 - 1],
    [[0x80, 0, 0, 1], 0],
    [[0xff, 0xff, 0xff, 0xff], 0],
    [[0, 1, 0, 0], 65_536],
  ])('of TTL %j always lives %i seconds (RFC 2181 section 8)', (ttl, seconds) => {
    expect(answered({ ttl })?.answers[0]?.ttlSeconds).toBe(seconds);
  });
});

describe('the owner of a record', () => {
  test('is always the name that it names, however many names came before', () => {
    const items = Array.from({ length: 40 }, (_, index) => ({
      name: [...label(1, 0x61 + (index % 26)), ...a],
    }));
    const message = answered(...items, { name: [0xc0, 12] }, { name: [0xc0, 19] });
    expect(message?.answers.map(({ name }) => nameKey(name))).toEqual([
      ...items.map(({ name }) => String.fromCharCode(...name)),
      '\u0001a\u0000',
      '\u0001a\u0001a\u0000',
    ]);
  });

  test('is never a name of the message before, which stood in the same octets', () => {
    // So many names that an index is kept; the last owner leads to the second label of the long one.
    const few = Array.from({ length: 12 }, (_, index) => record({ name: [...label(1, 0x61 + index), ...a] }));
    const start = 12 + question(a).length + few.flat().length;
    const long = record({ name: [1, 120, 1, 121, ...a] });
    const ends = record({ name: [...word(0xc000 | (start + 2))] });
    const octets = Uint8Array.from([...header(1, 14, 0, 0), ...question(a), ...few.flat(), ...long, ...ends]);
    const lastOwner = () => nameKey(readMessage(octets)?.answers.at(-1)?.name ?? Uint8Array.of(0));
    expect(lastOwner()).toBe('\u0001y\u0001a\u0000');
    octets[start + 3] = 122;
    expect(lastOwner()).toBe('\u0001z\u0001a\u0000');
  });

  test('that is no name ends the reading, though the question would pass for one', () => {
    // The name that was read last ends where type A and class IN of the question stand; ten octets on, four of data.
    expect(read(header(1, 1, 0, 0), question(a), [0x80, 0, 0, 0, 0, 4, 1, 1, 1, 1])).toBeNull();
  });

  test('that was read before is never read again', () => {
    const long = [...label(63), ...label(63), ...label(63), ...label(50), 0];
    const records = Array.from({ length: 50 }, () => record({ name: [0xc0, 12] })).flat();
    const octets = Uint8Array.from([...header(1, 50, 0, 0), ...question(long), ...records]);
    let looks = 0;
    const bytes = new Proxy(octets, {
      get(target, key) {
        looks += 1;
        return Reflect.get(target, key, target);
      },
    });
    expect(readMessage(bytes)?.answers).toHaveLength(50);
    expect(looks).toBeLessThan(50 * 40);
  });

  test('is never a name that stands behind it', () => {
    // Its pointer names the owner of the next record, which begins 16 octets on.
    expect(answered({ name: [0xc0, 19 + 16] }, {})).toBeNull();
    expect(answered({ name: [0xc0, 19] })).toBeNull();
  });
});

describe('an OPT record', () => {
  test('is always found, and at most once', () => {
    expect(adding(opt(1232))?.ednsPayloadOctets).toBe(1232);
    expect(adding({ type: 16, data: [] }, opt(0))?.ednsPayloadOctets).toBe(0);
    expect(adding(opt(1232), opt(1232))).toBeNull();
    expect(adding({ ...opt(1232), name: a })).toBeNull();
  });

  test('is never anywhere but in the additional section', () => {
    expect(answered(opt(1232))).toBeNull();
    expect(answered({ ...opt(1232), type: 16 })).not.toBeNull();
  });
});

describe('a name on the wire', () => {
  const at12 = (...octets: number[]) => Uint8Array.from([...Array<number>(12).fill(0), ...octets]);
  const keyAt = (bytes: Uint8Array, offset: number) => {
    const found = readName(bytes, offset);
    return found === null ? null : nameKey(found.name);
  };

  test('is always folded in its letters alone', () => {
    const octets = [6, 0x40, 0x41, 0x5a, 0x5b, 0x61, 0x7a, 0];
    expect([...(readName(at12(...octets), 12)?.name ?? [])]).toEqual([
      6, 0x40, 0x61, 0x7a, 0x5b, 0x61, 0x7a, 0,
    ]);
    // A length is no letter: 65 would be one.
    expect(readName(at12(...label(63), 0), 12)?.name[0]).toBe(63);
  });

  test('is never longer than 63 octets a label, nor than 255 in all', () => {
    expect(readName(at12(...label(64), 0), 12)).toBeNull();
    const most = [...label(63), ...label(63), ...label(63), ...label(61), 0];
    expect(most).toHaveLength(255);
    expect(readName(at12(...most), 12)?.name).toHaveLength(255);
    expect(readName(at12(...label(63), ...label(63), ...label(63), ...label(62), 0), 12)).toBeNull();
  });

  test('is never cut', () => {
    expect(readName(at12(), 12)).toBeNull();
    expect(readName(at12(1), 12)).toBeNull();
    expect(readName(at12(1, 97), 12)).toBeNull();
    expect(readName(at12(2, 97, 0), 12)).toBeNull();
    expect(readName(at12(0, 0xc0), 13)).toBeNull();
    expect(keyAt(at12(0), 12)).toBe('\u0000');
  });

  test('never points into the header, to itself or forwards', () => {
    expect(readName(at12(0xc0, 11), 12)).toBeNull();
    expect(readName(at12(0, 0xc0, 13), 13)).toBeNull();
    expect(readName(at12(0, 0xc0, 15, 0), 13)).toBeNull();
    expect(keyAt(at12(0, 0xc0, 12), 13)).toBe('\u0000');
    expect(keyAt(at12(1, 98, 0, 1, 97, 0xc0, 12), 15)).toBe('\u0001a\u0001b\u0000');
    // Back to its own start, behind a label: the loop of RFC 9267.
    expect(readName(at12(1, 97, 0xc0, 12), 12)).toBeNull();
  });

  test('never points to labels that run on into the name that points there', () => {
    // Two labels; the second one ends where the pointer begins, in its middle, or behind it.
    const run = (last: number) => [...at12(1, 97, last, 98, 98), 0xc0, 12, 0, 0];
    for (const last of [2, 3, 4, 5]) {
      expect(readName(Uint8Array.from(run(last)), 17)).toBeNull();
      // It stands behind a label of its own, which begins where they have to be over.
      expect(readName(Uint8Array.from([...run(last).slice(0, 17), 1, 99, 0xc0, 12, 0, 0]), 17)).toBeNull();
    }
    expect(keyAt(at12(1, 97, 1, 98, 0, 0xc0, 12), 17)).toBe('\u0001a\u0001b\u0000');
    // A pointer on the way: half of it, and the whole, before the labels that led to it.
    const on = (last: number) => at12(0, 2, 99, 99, last, 100, 0xc0, 12, 0xc0, 16);
    expect(readName(on(2), 20)).toBeNull();
    expect(keyAt(on(1), 20)).toBe('\u0001d\u0000');
    // Of the second of two pointers: its labels may not run on into those of the first.
    const second = (length: number) => at12(length, 97, 0, 1, 98, 0xc0, 12, 0xc0, 15);
    expect(keyAt(second(1), 19)).toBe('\u0001b\u0001a\u0000');
    expect(readName(second(2), 19)).toBeNull();
  });

  test('always points by fourteen bits', () => {
    const far = Uint8Array.from([...Array<number>(0x0123).fill(0), 1, 97, 0, 0xc1, 0x23]);
    expect(keyAt(far, 0x0126)).toBe('\u0001a\u0000');
    // One octet is no pointer, whatever stands where it would point.
    expect(readName(far.subarray(0, 0x0127), 0x0126)).toBeNull();
    const near = Uint8Array.from([...Array<number>(0x0100).fill(0), 1, 97, 0, 0xc1]);
    expect(readName(near, 0x0103)).toBeNull();
    expect(readName(at12(0, 0x80, 12), 13)).toBeNull();
    expect(readName(at12(0, 0xbf, 12), 13)).toBeNull();
  });

  test('always ends where it stands, not where it points', () => {
    expect(readName(at12(1, 97, 0, 0xc0, 12, 9), 15)?.end).toBe(17);
    expect(readName(at12(1, 97, 0, 9), 12)?.end).toBe(15);
    expect(readName(at12(1, 98, 0, 0xc0, 12, 0xc0, 15, 9), 17)?.end).toBe(19);
  });
});

describe('names', () => {
  test('are the same only octet by octet', () => {
    const [one, two, more] = [
      Uint8Array.of(1, 97, 0),
      Uint8Array.of(1, 98, 0),
      Uint8Array.of(1, 97, 1, 97, 0),
    ];
    expect(sameName(one, one)).toBe(true);
    expect(sameName(one, Uint8Array.from(one))).toBe(true);
    expect([sameName(one, two), sameName(one, more), sameName(more, one)]).toEqual([false, false, false]);
  });

  test.each(['a', 'z', '0', '9', '-', '_', 'a-_09z.xn--a'])(
    'of a host are letters, digits, - and _: %s',
    (text) => {
      expect(isHostName(parseHostName(text) ?? Uint8Array.of(0))).toBe(true);
    },
  );

  test.each([0x60, 0x7b, 0x2f, 0x3a, 0x2c, 0x2e, 0x5e, 0x41, 0x20, 0x00, 0x80, 0xff])(
    'of a host never hold the octet %i, wherever it stands',
    (octet) => {
      expect(isHostName(Uint8Array.of(1, octet, 0))).toBe(false);
      expect(isHostName(Uint8Array.of(2, 97, octet, 0))).toBe(false);
      expect(isHostName(Uint8Array.of(1, 97, 2, octet, 97, 0))).toBe(false);
    },
  );

  test('of a host are never the root', () => {
    expect(isHostName(Uint8Array.of(0))).toBe(false);
  });

  test.each<[string, number[] | null]>([
    ['A.b', [1, 97, 1, 98, 0]],
    ['a.b.', [1, 97, 1, 98, 0]],
    ['a..b', null],
    ['a..', null],
    ['', null],
    ['.', null],
    ['a b', null],
    ['a\n', null],
    ['x'.repeat(63), [63, ...Array<number>(63).fill(0x78), 0]],
    ['x'.repeat(64), null],
  ])('in text are always read as %j is', (text, octets) => {
    const name = parseHostName(text);
    expect(name === null ? null : [...name]).toEqual(octets);
  });

  test('in text are never longer than 255 octets on the wire', () => {
    const long = (last: number) =>
      ['x'.repeat(63), 'x'.repeat(63), 'x'.repeat(63), 'x'.repeat(last)].join('.');
    expect(parseHostName(long(61))).toHaveLength(255);
    expect(parseHostName(long(62))).toBeNull();
  });
});

describe('the writer', () => {
  test('is never written over by another one, however many there are', () => {
    const kept = Array.from({ length: 2_000 }, (_, index) => {
      const writer = new MessageWriter(100);
      for (let at = 0; at < 50; at++) writer.u16(index);
      return writer.finish();
    });
    expect(kept.filter((bytes, index) => bytes.length !== 100 || u16(bytes, 0) !== index)).toEqual([]);
    expect(kept.filter((bytes, index) => u16(bytes, 98) !== index)).toEqual([]);
  });

  test('always writes what it was told, and no more', () => {
    const writer = new MessageWriter(64);
    writer.header(0x1234, 0x8180, 1, 2, 3);
    writer.u8(0x1ff);
    writer.u32(0x89abcdef);
    writer.copy(Uint8Array.of(9, 8, 7, 6), 1, 3);
    writer.opt(1232, 0x123);
    expect(writer.at).toBe(12 + 1 + 4 + 2 + 11);
    expect([...writer.finish()]).toEqual([
      ...[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 3],
      ...[0xff, 0x89, 0xab, 0xcd, 0xef, 8, 7],
      ...[0, 0, 41, 4, 208, 0x12, 0, 0, 0, 0, 0],
    ]);
  });
});
