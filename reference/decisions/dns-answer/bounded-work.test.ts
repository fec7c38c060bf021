/**
 * Work on a message is bounded by its length, and no input makes a decision run on: what the claims cannot
 * time, counted here.
 */
import { describe, expect, test } from 'vitest';
import { compileDnsPolicy } from './dns-policy.ts';
import { judgeReply } from './dns-reply.ts';
import { parseHostName, readName } from './name.ts';
import { readMessage } from './wire.ts';

/**
 * A root question, a TXT record full of pointers each to the one before, and records owned by the last of
 * them.
 */
function pointerLadder(pointers: number, records: number): Uint8Array {
  const count = records + 1;
  const start = 12 + 5 + 11;
  const at = (index: number) => (index < 0 ? 12 : start + 2 * index);
  const word = (value: number) => [value >> 8, value & 255];
  const ladder = Array.from({ length: pointers }, (_, index) => word(0xc000 | at(index - 1))).flat();
  const txt = [0, 16, 0, 1, 0, 0, 0, 0];
  const owned = [...word(0xc000 | at(pointers - 1)), ...txt, 0, 0];
  const header = [0, 0, 0x81, 0x80, 0, 1, ...word(count), 0, 0, 0, 0];
  const rest = Array.from({ length: records }, () => owned).flat();
  return Uint8Array.from([...header, 0, 0, 1, 0, 1, 0, ...txt, ...word(ladder.length), ...ladder, ...rest]);
}

/** The same octets, counting how often one is looked at. */
function counted(octets: Uint8Array): { readonly bytes: Uint8Array; looks(): number } {
  let looks = 0;
  const bytes = new Proxy(octets, {
    get(target, key) {
      looks += 1;
      return Reflect.get(target, key, target);
    },
  });
  return { bytes, looks: () => looks };
}

describe('a name', () => {
  test('is always read through 255 pointers, and never through more', () => {
    const last = (pointers: number) => 12 + 5 + 11 + 2 * (pointers - 1);
    expect(readName(pointerLadder(255, 0), last(255))).not.toBeNull();
    expect(readName(pointerLadder(256, 0), last(256))).toBeNull();
  });

  test.each(['wor\u212a.test', 'f\u0131le.test', '\uff45xample.test'])(
    'in text never folds a letter that is not ASCII into one that is: %j',
    (text) => {
      expect(parseHostName(text)).toBeNull();
    },
  );
});

describe('a message of 64 KiB', () => {
  test.each([
    ['one pointer is too long', 8_000, 4_000],
    ['all names together take too many', 250, 5_300],
    ['each name takes a few', 11, 5_300],
  ])('never costs more than a few looks for each octet: %s', (_, pointers, records) => {
    const octets = pointerLadder(pointers, records);
    expect(octets.length).toBeLessThanOrEqual(65_535);
    const { bytes, looks } = counted(octets);
    readMessage(bytes);
    expect(looks()).toBeLessThan(octets.length * 6);
  });

  test.each([1, 2, 125])(
    'never costs more than a few looks for each octet: owners lead to %i places of a long name',
    (places) => {
      const word = (value: number) => [value >> 8, value & 255];
      const records = 5_000;
      const fixed = [0, 16, 0, 1, 0, 0, 0, 0, 0, 0];
      const long = [...Array.from({ length: 126 }, () => [1, 97]).flat(), 0];
      const owned = (index: number) => [...word(0xc000 | (14 + 2 * (index % places))), ...fixed];
      const rest = Array.from({ length: records }, (_, index) => owned(index)).flat();
      const header = [0, 0, 0x81, 0x80, 0, 1, ...word(records), 0, 0, 0, 0];
      const { bytes, looks } = counted(Uint8Array.from([...header, ...long, 0, 1, 0, 1, ...rest]));
      expect(readMessage(bytes)?.answers.map(({ name }) => name.length)).toEqual(
        Array.from({ length: records }, (_, index) => 251 - 2 * (index % places)),
      );
      expect(looks()).toBeLessThan(bytes.length * 6);
    },
  );

  test('is always read while its names take no more pointers than it has octets', () => {
    const octets = pointerLadder(11, 5_000);
    // Each owner is a pointer to the last of eleven, the first of which leads to the question.
    expect(5_000 * 12).toBeLessThanOrEqual(octets.length);
    expect(readMessage(octets)?.answers).toHaveLength(5_001);
    expect(readMessage(pointerLadder(12, 5_000))).toBeNull();
  });
});

describe('a name that is known', () => {
  /** Twenty owners that are a pointer to an owner before, which takes 31 pointers itself: 31 + 20 × 32 in all. */
  function knownOwners(padding: number): Uint8Array {
    const word = (value: number) => [value >> 8, value & 255];
    const ladder = [12, ...Array.from({ length: 29 }, (_, index) => 28 + 2 * index)];
    const data = [...ladder.flatMap((target) => word(0xc000 | target)), ...Array(padding).fill(0)];
    const txt = [0, 16, 0, 1, 0, 0, 0, 0];
    const owned = (target: number) => [...word(0xc000 | target), ...txt, 0, 0];
    const header = [0, 0, 0x81, 0x80, 0, 1, ...word(22), 0, 0, 0, 0];
    const opening = [...header, 0, 0, 1, 0, 1, 0, ...txt, ...word(data.length), ...data];
    const others = Array.from({ length: 20 }, () => owned(opening.length)).flat();
    return Uint8Array.from([...opening, ...owned(28 + 2 * 29), ...others]);
  }

  test('is never led to by more than 255 pointers', () => {
    const word = (value: number) => [value >> 8, value & 255];
    const at = (rung: number) => (rung < 0 ? 12 : 28 + 2 * rung);
    const owners = (rungs: number) => {
      const ladder = Array.from({ length: rungs }, (_, index) => word(0xc000 | at(index - 1))).flat();
      const txt = [0, 16, 0, 1, 0, 0, 0, 0];
      const first = 28 + ladder.length;
      const owned = (target: number) => [...word(0xc000 | target), ...txt, 0, 0];
      const opening = [
        0,
        0,
        0x81,
        0x80,
        0,
        1,
        0,
        3,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        1,
        0,
        ...txt,
        ...word(ladder.length),
      ];
      return readMessage(Uint8Array.from([...opening, ...ladder, ...owned(at(rungs - 1)), ...owned(first)]));
    };
    // The first owner takes a pointer more than there are rungs, the second, which leads to it, one more.
    expect(owners(253)?.answers).toHaveLength(3);
    expect(owners(254)).toBeNull();
  });

  test('always counts with all its pointers, up to the octets of the message and not one beyond', () => {
    const enough = 671 - knownOwners(0).length;
    expect(readMessage(knownOwners(enough))?.answers).toHaveLength(22);
    expect(readMessage(knownOwners(enough - 1))).toBeNull();
  });
});

describe('dns-reply', () => {
  const policy = compileDnsPolicy({
    allow: ['example.com:443'],
    denyCIDRs: [],
    nat64Prefixes: [],
    pinPrivateCIDRs: [],
    ipv6: true,
    randomCase: true,
    ttlFloorSeconds: 30,
    ttlCeilingSeconds: 300,
    maxPinsPerAnswer: 64,
  });
  const server = { address: '192.0.2.53', port: 53 };
  const honest = Buffer.from('109281800001000000000000076578616d706c6503636f6d0000010001', 'hex');

  test('always ends, and never accepts, whatever of the query is missing', () => {
    for (let length = 0; length < honest.length; length++) {
      const query = honest.subarray(0, length);
      for (const reply of [honest, query, Buffer.concat([query, Buffer.alloc(8)])]) {
        const message = { query, sentTo: server, reply, from: server, transport: 'udp' as const };
        expect(judgeReply(policy, message).verdict).toBe('ignore');
      }
    }
  });
});
