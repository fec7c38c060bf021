/** The guest's message rule by rule: what goes upstream to the octet, and what the guest is answered at once. */
import { describe, expect, test } from 'vitest';
import { compileDnsPolicy, type DnsPolicyOptions } from './dns-policy.ts';
import { decideQuery, emptyAnswer } from './dns-query.ts';
import { readMessage } from './wire.ts';

const options: DnsPolicyOptions = {
  allow: ['a-1.example.com:443'],
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  ipv6: true,
  randomCase: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
};
const policy = compileDnsPolicy(options);
const word = (value: number) => [value >> 8, value & 255];
const nameOf = (text: string) => [
  ...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
  0,
];
const opt = (payload: number) => [0, ...word(41), ...word(payload), 0, 0, 0, 0, 0, 0];
const random = { id: 0x4242, caseBits: new Uint8Array(32).fill(0xff) };

interface Asked {
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly name?: readonly number[];
  readonly type?: number;
  readonly class?: number;
  readonly rest?: readonly number[];
}

function asked(changes: Asked = {}): Uint8Array {
  const { flags = 0x0100, counts = [1, 0, 0, 0], name = nameOf('a-1.example.com'), rest = [] } = changes;
  const header = [0x12, 0x34, ...word(flags), ...counts.flatMap(word)];
  return Uint8Array.from([
    ...header,
    ...name,
    ...word(changes.type ?? 1),
    ...word(changes.class ?? 1),
    ...rest,
  ]);
}

const decide = (bytes: Uint8Array, own = policy) => decideQuery(own, bytes, 'udp', random);

describe('a message that is no question for us', () => {
  test.each<[string, Uint8Array]>([
    ['shorter than a header', new Uint8Array(0)],
    ['shorter than a header', asked().subarray(0, 11)],
    ['QR=1: not a query', asked({ flags: 0x8100 })],
    ['QR=1: not a query', asked({ flags: 0x8000 })],
  ])('is always dropped: %s', (rule, bytes) => {
    expect(decide(bytes)).toEqual({ verdict: 'drop', rule });
  });

  test.each<[string, number, Asked]>([
    ['opcode is not QUERY', 4, { flags: 0x0900 }],
    ['opcode is not QUERY', 4, { flags: 0x7800 }],
    ['QDCOUNT is not 1', 1, { counts: [0, 0, 0, 0] }],
    ['QDCOUNT is not 1', 1, { counts: [2, 0, 0, 0] }],
    ['malformed', 1, { rest: [0] }],
    ['malformed', 1, { counts: [1, 1, 0, 0] }],
  ])('is always answered by its header alone: %s', (rule, rcode, changes) => {
    const step = decide(asked(changes));
    const flags = 0x8080 | ((changes.flags ?? 0x0100) & 0x7900) | rcode;
    const message = Uint8Array.from([0x12, 0x34, ...word(flags), 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(step).toEqual({ verdict: 'answer', message, rcode, rule });
  });

  test('of a header alone is never read further', () => {
    expect(decide(asked({ counts: [0, 0, 0, 0] }).subarray(0, 12))).toMatchObject({
      rule: 'QDCOUNT is not 1',
    });
    expect(decide(asked().subarray(0, 12))).toMatchObject({ rule: 'malformed' });
  });
});

describe('a question that never goes upstream', () => {
  const ipv6Off = compileDnsPolicy({ ...options, ipv6: false });

  test.each<[string, number, Asked]>([
    ['class is not IN', 5, { class: 3 }],
    ['class is not IN', 5, { class: 255 }],
    ['a label is not LDH', 5, { name: nameOf('a b.example.com') }],
    ['a label is not LDH', 5, { name: [0] }],
    ['name is not allowlisted', 5, { name: nameOf('example.com') }],
    // Before its type is looked at.
    ['name is not allowlisted', 5, { name: nameOf('example.com'), type: 16 }],
    ['NODATA: only A and AAAA go upstream', 0, { type: 16 }],
    ['NODATA: only A and AAAA go upstream', 0, { type: 65 }],
    ['NODATA: only A and AAAA go upstream', 0, { type: 255 }],
    ['NODATA: the IPv6 option is off', 0, { type: 28 }],
  ])('is always answered with its question: %s', (rule, rcode, changes) => {
    for (const flags of [0x0100, 0]) {
      const bytes = asked({ ...changes, flags });
      const head = [0x12, 0x34, ...word(0x8080 | flags | rcode), 0, 1, 0, 0, 0, 0, 0, 0];
      const message = Uint8Array.from([...head, ...bytes.subarray(12)]);
      expect(decide(bytes, ipv6Off)).toEqual({ verdict: 'answer', message, rcode, rule });
    }
  });

  test('is always answered with an OPT of our own when the guest sent one', () => {
    const bytes = asked({ type: 16, counts: [1, 0, 0, 1], rest: opt(4096) });
    const question = [...nameOf('a-1.example.com'), 0, 16, 0, 1];
    const message = Uint8Array.from([
      0x12,
      0x34,
      0x81,
      0x80,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      1,
      ...question,
      ...opt(1232),
    ]);
    expect(decide(bytes)).toMatchObject({ verdict: 'answer', message });
  });

  test('is truncated only when that is said', () => {
    const bytes = asked();
    const flagsOf = (answer: Uint8Array) => ((answer[2] ?? 0) << 8) | (answer[3] ?? 0);
    expect(flagsOf(emptyAnswer(bytes, readMessage(bytes), 0, true))).toBe(0x8380);
    expect(flagsOf(emptyAnswer(bytes, readMessage(bytes), 0))).toBe(0x8180);
  });
});

describe('a question that goes upstream', () => {
  const fresh = (name: string, type: number) =>
    Uint8Array.from([
      0x42,
      0x42,
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      1,
      ...nameOf(name),
      ...word(type),
      0,
      1,
      ...opt(1232),
    ]);
  const forwards = (message: Uint8Array) => ({
    ...{ verdict: 'forward', message, rule: 'allowlisted' },
    guest: expect.objectContaining({ question: expect.anything() }),
  });

  test('is handed on as it was read', () => {
    const bytes = asked();
    expect(decide(bytes)).toMatchObject({ verdict: 'forward', guest: readMessage(bytes) });
  });

  test('is always built afresh from its name and type, each letter in the case of its coin', () => {
    const noisy = asked({
      flags: 0x0170,
      name: nameOf('A-1.eXample.COM'),
      counts: [1, 0, 0, 1],
      rest: opt(512),
    });
    expect(decide(noisy)).toEqual(forwards(fresh('A-1.EXAMPLE.COM', 1)));
    expect(decide(asked({ type: 28 }))).toEqual(forwards(fresh('A-1.EXAMPLE.COM', 28)));
  });

  test('always takes the coin of the octet where the letter stands', () => {
    // Octets 5 and 11 of the name: the first letter of "example", and the last.
    const caseBits = Uint8Array.of(1 << 5, 1 << 3);
    const step = decideQuery(policy, asked(), 'tcp', { ...random, caseBits });
    expect(step).toEqual(forwards(fresh('a-1.ExamplE.com', 1)));
  });

  test('for IPv4 is always asked where the IPv6 option is off', () => {
    const ipv6Off = compileDnsPolicy({ ...options, ipv6: false });
    expect(decide(asked(), ipv6Off)).toEqual(forwards(fresh('A-1.EXAMPLE.COM', 1)));
  });

  test('is never in another case than it is when 0x20 is off', () => {
    const plain = compileDnsPolicy({ ...options, randomCase: false });
    expect(decide(asked({ name: nameOf('A-1.EXAMPLE.com') }), plain)).toEqual(
      forwards(fresh('a-1.example.com', 1)),
    );
  });

  test('never changes a label’s length, a digit, a hyphen, or a letter at either end of the alphabet wrongly', () => {
    const odd = `${'z'.repeat(63)}.a_-09z.${'b'.repeat(26)}`;
    const own = compileDnsPolicy({ ...options, allow: [`${odd}:443`] });
    const none = decideQuery(own, asked({ name: nameOf(odd) }), 'udp', {
      ...random,
      caseBits: new Uint8Array(0),
    });
    expect(none).toEqual(forwards(fresh(odd, 1)));
    expect(decide(asked({ name: nameOf(odd) }), own)).toEqual(forwards(fresh(odd.toUpperCase(), 1)));
  });
});
