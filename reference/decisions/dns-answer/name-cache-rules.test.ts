/** Names that a message holds more than once: a pointer finds the one it leads to, and nothing else does. */
import { describe, expect, test } from 'vitest';
import { nameKey } from './name.ts';
import { readMessage } from './wire.ts';

const word = (value: number) => [value >> 8, value & 255];
const text = (owner: readonly number[], octets: number) => [
  ...[...owner, 0, 16, 0, 1, 0, 0, 0, 60],
  ...[...word(octets), ...Array<number>(octets).fill(0)],
];
const a = [1, 97, 0];
const b = [1, 98, 0];
const ownersOf = (...answers: readonly (readonly number[])[]) => {
  const header = [0x12, 0x34, 0x81, 0x80, 0, 1, ...word(answers.length), 0, 0, 0, 0];
  const message = readMessage(Uint8Array.from([...header, ...a, 0, 1, 0, 1, ...answers.flat()]));
  return message?.answers.map(({ name }) => [...name]);
};

describe('the key of a name', () => {
  test('always has each of its octets, and those of the number behind it', () => {
    const name = Uint8Array.of(1, 0xe9, 2, 0x61, 0xff, 0);
    expect(nameKey(name)).toBe('\x01\xe9\x02a\xff\0');
    expect(nameKey(name, 2)).toBe('\x02a\xff\0');
    expect(nameKey(name, 0, 0x12f4)).toBe('\x01\xe9\x02a\xff\0\x12\xf4');
  });

  test('always has all of the longest name there is, and the number behind it', () => {
    const labels = [63, 63, 63, 61].flatMap((length) => [length, ...Array<number>(length).fill(0x61)]);
    const longest = Uint8Array.from([...labels, 0]);
    expect(longest.length).toBe(255);
    expect(nameKey(longest, 0, 0x12f4)).toBe(`${Buffer.from(longest).toString('latin1')}\x12\xf4`);
  });
});

describe('a question', () => {
  test('without a name never ends where that of the message before did', () => {
    const octets = Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...a, 0, 1, 0, 1]);
    expect(readMessage(octets)).not.toBeNull();
    expect(readMessage(octets.with(12, 0x80))).toBeNull();
  });
});

describe('the owner of a record', () => {
  test('is never found at the place that its label would be a pointer to', () => {
    // The octets of the label "a" read as the place 353, where "b" stands.
    const filling = text([0], 353 - 30);
    expect(ownersOf(filling, text(b, 0), text(a, 0))).toEqual([[0], b, a]);
  });

  test('is always the name that its pointer leads to, however many there are', () => {
    const owners = Array.from({ length: 12 }, (_, index) => [1, 98 + index, 0]);
    const first = 12 + 7;
    const pointers = owners.map((_, index) => word(0xc000 | (first + 13 * index)));
    const records = [...owners, ...pointers, ...pointers].map((owner) => text(owner, 0));
    expect(ownersOf(...records)).toEqual([...owners, ...owners, ...owners]);
  });
});
