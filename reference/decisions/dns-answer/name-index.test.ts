/** With an index a name reads as it does without one, wherever in what is known its pointers lead; and costs less. */
import { describe, expect, test } from 'vitest';
import { type NameAt, readName } from './name.ts';
import { NameIndex } from './name-index.ts';

/** Numbers below `bound`, the same every time (a linear congruential generator). */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * bound);
  };
}

/** Labels, roots and pointers in any order, so that much of it reads as names, of which many overlap. */
function soup(octets: number, roll: (bound: number) => number): Uint8Array {
  const bytes: number[] = Array<number>(12).fill(0);
  while (bytes.length < octets) {
    const kind = roll(10);
    const at = bytes.length;
    if (kind < 4) bytes.push(1 + roll(4), 97 + roll(3));
    else if (kind < 8 && at > 12) {
      const target = 12 + roll(at - 12);
      bytes.push(0xc0 | (target >> 8), target & 255);
    } else bytes.push(kind === 8 ? 0 : roll(64));
  }
  return Uint8Array.from(bytes);
}

const textOf = (found: NameAt | null) =>
  found === null ? null : `${Buffer.from(found.name).toString('hex')} ${found.end} ${found.pointers}`;

/** A chain of CNAMEs' worth of labels that nobody can skip: `labels` of one octet each, then the root. */
function ladder(labels: number): Uint8Array {
  return Uint8Array.from([...Array(12).fill(0), ...Array.from({ length: labels }, () => [1, 97]).flat(), 0]);
}

describe('a name of a message whose names are known', () => {
  test.each([
    ['forwards, as a message is read', 60, 3_000],
    ['forwards, in a longer one', 600, 300],
    ['in any order', 60, 3_000],
  ])('is always what it is by itself: %s', (order, octets, soups) => {
    const roll = dice(octets);
    let names = 0;
    let malformed = 0;
    for (let done = 0; done < soups; done++) {
      const bytes = soup(octets, roll);
      const index = new NameIndex();
      for (let next = 12; next < bytes.length; next++) {
        const at = order === 'in any order' ? 12 + roll(bytes.length - 12) : next;
        const alone = readName(bytes, at);
        // What is malformed makes it forget, and it has to know much.
        if (alone === null && roll(20) > 0) continue;
        const [got, wanted] = [textOf(readName(bytes, at, index)), textOf(alone)];
        // An expectation costs more than all that it is about.
        if (got !== wanted) expect(got).toBe(wanted);
        names += alone === null ? 0 : 1;
        malformed += alone === null ? 1 : 0;
      }
    }
    expect(names).toBeGreaterThan(15_000);
    expect(malformed).toBeGreaterThan(1_000);
  });

  test('is always the same octets in memory when it is the same place', () => {
    const bytes = Uint8Array.from([...ladder(5), 0xc0, 16, 0xc0, 16, 0xc0, 12]);
    const index = new NameIndex();
    const [whole, rest, again, all] = [12, 23, 25, 27].map((at) => readName(bytes, at, index)?.name);
    expect([whole?.length, rest?.length]).toEqual([11, 7]);
    expect(again).toBe(rest);
    expect(all).toBe(whole);
  });
});

describe('what is known', () => {
  test.each([0, 1, 2])('is never walked again, from whichever label on, behind %i other names', (others) => {
    const labels = 126;
    const [names, octets] = [ladder(labels), 12 + 2 * labels + 1];
    const targets = Array.from({ length: labels }, (_, at) => 0xc00c + 2 * (labels - 1 - at));
    const pointers = targets.flatMap((word) => [word >> 8, word & 255]);
    const plain = Uint8Array.from([...names, ...pointers, ...Array(others).fill(0)]);
    const ownEnd = plain.length - others;
    let looks = 0;
    const bytes = new Proxy(plain, {
      get(target, key) {
        looks += 1;
        return Reflect.get(target, key, target);
      },
    });
    const index = new NameIndex();
    for (let at = ownEnd; at < plain.length; at++) readName(bytes, at, index);
    readName(bytes, 12, index);
    looks = 0;
    for (let at = octets; at < ownEnd; at += 2) {
      expect(readName(bytes, at, index)?.name).toHaveLength(2 * ((at - octets) / 2 + 1) + 1);
    }
    expect(looks).toBeLessThan(labels * 6);
  });

  test('never reads as a name of another message that was read in between', () => {
    const [one, other] = [ladder(3), Uint8Array.from([...ladder(0), 1, 98, 0, 0xc0, 13])];
    const pointing = Uint8Array.from([...one, 0xc0, 12]);
    const [first, second] = [new NameIndex(), new NameIndex()];
    readName(pointing, 12, first);
    readName(other, 13, second);
    expect(textOf(readName(pointing, 19, first))).toBe(textOf(readName(pointing, 19)));
    expect(textOf(readName(other, 16, second))).toBe(textOf(readName(other, 16)));
  });

  test.each([0, 1, 2])(
    'is never led to from labels that its pointer leads into, behind %i names',
    (others) => {
      // At 12 a label that holds a root, at 15 and 17 the labels behind it, at 19 their pointer to that root.
      const own = [...Array(12).fill(0), 2, 0, 9, 1, 97, 1, 98, 0xc0, 13, 0xc0, 12];
      const bytes = Uint8Array.from([...own, ...Array(others).fill(0)]);
      const index = new NameIndex();
      for (let at = own.length; at < bytes.length; at++) readName(bytes, at, index);
      expect([17, 15, 21].map((at) => readName(bytes, at, index)?.end)).toEqual([21, 21, undefined]);
      expect(readName(bytes, 21)).toBeNull();
    },
  );

  test('is never longer than 255 octets, nor led to by more than 255 pointers', () => {
    const long = [...ladder(126), 1, 98, 0xc0, 12, 2, 98, 98, 0xc0, 12];
    const index = new NameIndex();
    const at = 12 + 253;
    expect(
      [12, at, at + 4].map((place) => readName(Uint8Array.from(long), place, index)?.name.length),
    ).toEqual([253, 255, undefined]);
    const steps = Array.from({ length: 300 }, (_, step) => 0xc00c + Math.max(0, 2 * step - 1));
    const chain = Uint8Array.from([
      ...Array(12).fill(0),
      0,
      ...steps.flatMap((word) => [word >> 8, word & 255]),
    ]);
    const own = new NameIndex();
    const read = steps.map((_, step) => readName(chain, 13 + 2 * step, own)?.pointers);
    expect(read.slice(0, 256)).toEqual([...Array.from({ length: 255 }, (_, step) => step + 1), undefined]);
  });
});

describe('the memory of what is known', () => {
  test('never makes a name of more than 255 pointers, those of its known rest counted', () => {
    // A root, 200 pointers each to the one before, a label in front of the last of them, and 60 pointers to that.
    const word = (value: number) => [0xc0 | (value >> 8), value & 255];
    const ladderOf = (pointers: number, at: number, first: number) =>
      Array.from({ length: pointers }, (_, index) => word(index === 0 ? first : at + 2 * (index - 1))).flat();
    const labelAt = 13 + 2 * 200;
    const label = [1, 97, ...word(labelAt - 2)];
    const octets = [...Array(13).fill(0), ...ladderOf(200, 13, 12), ...label];
    const bytes = Uint8Array.from([...octets, ...ladderOf(60, octets.length, labelAt)]);
    const index = new NameIndex();
    const places = [labelAt, octets.length + 2 * 53, octets.length + 2 * 54];
    expect(places.map((at) => readName(bytes, at, index)?.pointers)).toEqual([201, 255, undefined]);
  });

  test('never takes room for what is led to again, or can never be led to', () => {
    const far = 0x4100;
    const [known, unknown] = [Uint8Array.from([...ladder(2), 0xc0, 12]), [1, 98, 0, 0xc0, 19]];
    const bytes = Uint8Array.from([...known, ...unknown, ...Array(far - known.length).fill(0)]);
    const index = new NameIndex();
    const whole = readName(bytes, 12, index)?.name;
    // More than there are segments, and than a holder can be counted by.
    let others = 0;
    for (let times = 0; times < 70_000; times++) {
      others += readName(bytes, 17, index)?.name === whole ? 0 : 1;
      others += readName(bytes, far, index)?.name.length === 1 ? 0 : 1;
    }
    expect(others).toBe(0);
    for (const at of [19, 22]) expect(textOf(readName(bytes, at, index))).toBe(textOf(readName(bytes, at)));
  });

  test('never needs more memory than there is, though every place is read and led to', () => {
    // Each label is read behind another one first, and by itself later: twice as many segments as places.
    const roll = dice(3);
    const bytes = soup(0x4200, roll);
    const index = new NameIndex();
    for (const at of [...Array(0x4200 - 12).keys()].map((place) => 12 + place)) {
      const [got, wanted] = [textOf(readName(bytes, at, index)), textOf(readName(bytes, at))];
      if (got !== wanted) expect(got).toBe(wanted);
    }
    expect(textOf(readName(bytes, 12, index))).toBe(textOf(readName(bytes, 12)));
  });
});
