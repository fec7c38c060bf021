/** The reply rule by rule: what ends the wait, what never does, and how exactly a question must come back. */
import { describe, expect, test } from 'vitest';
import { compileDnsPolicy } from './dns-policy.ts';
import { judgeReply, type ReplyCase } from './dns-reply.ts';

const policyWith = (randomCase: boolean) =>
  compileDnsPolicy({
    allow: ['example.com:443'],
    denyCIDRs: [],
    nat64Prefixes: [],
    pinPrivateCIDRs: [],
    ipv6: true,
    randomCase,
    ttlFloorSeconds: 30,
    ttlCeilingSeconds: 300,
    maxPinsPerAnswer: 64,
  });
const exact = policyWith(true);
const folding = policyWith(false);
const word = (value: number) => [value >> 8, value & 255];
const nameOf = (text: string) => [
  ...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
  0,
];
const server = { address: '192.0.2.53', port: 53 };

interface Shape {
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: number;
  readonly name?: string;
  readonly type?: number;
  readonly class?: number;
  readonly rest?: readonly number[];
}

function message(shape: Shape): Uint8Array {
  const { id = 0x1092, flags = 0x8180, questions = 1, name = 'eXample.com', type = 1, rest = [] } = shape;
  const header = [...word(id), ...word(flags), ...word(questions), 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...nameOf(name), ...word(type), ...word(shape.class ?? 1), ...rest]);
}

const query = message({ flags: 0x0100 });
const received = (shape: Shape, changes: Partial<ReplyCase> = {}): ReplyCase => ({
  query,
  sentTo: server,
  reply: message(shape),
  from: server,
  transport: 'udp',
  ...changes,
});

describe('a message that is not the reply', () => {
  test.each<[string, Shape, Partial<ReplyCase>]>([
    ['not from the server that was asked', {}, { from: { ...server, address: '192.0.2.54' } }],
    ['not from the server that was asked', {}, { from: { ...server, port: 54 } }],
    ['shorter than a header', {}, { reply: message({}).subarray(0, 11) }],
    ['another ID', { id: 0x1192 }, {}],
    ['another ID', { id: 0x1093 }, {}],
    ['QR=0', { flags: 0x0180 }, {}],
    ['another opcode', { flags: 0x8980 }, {}],
    ['QDCOUNT is not 1', { questions: 0 }, {}],
    ['QDCOUNT is not 1', { questions: 2 }, {}],
    ['QDCOUNT is not 1', { questions: 0x0101 }, {}],
    ['another question', { name: 'example.com' }, {}],
    ['another question', { name: 'eXample.con' }, {}],
    ['another question', { name: 'eXample.com.net' }, {}],
    ['another question', { name: 'eXample' }, {}],
    ['another question', { type: 28 }, {}],
    ['another question', { type: 257 }, {}],
    ['another question', { class: 3 }, {}],
    ['another question', {}, { reply: message({}).subarray(0, 12) }],
    ['another question', {}, { reply: message({}).subarray(0, query.length - 1) }],
    ['malformed', { rest: [0] }, {}],
  ])('is always ignored: %s', (rule, shape, changes) => {
    expect(judgeReply(exact, received(shape, changes))).toEqual({ verdict: 'ignore', rule });
  });

  test('of a header alone is never more than another question', () => {
    const reply = message({}).subarray(0, 12);
    expect(judgeReply(exact, received({}, { reply }))).toMatchObject({ rule: 'another question' });
  });

  test('never answers a query that is none, though it is the same octets', () => {
    const cut = query.subarray(0, query.length - 1);
    const reply = Uint8Array.from([...message({}).subarray(0, cut.length)]);
    expect(judgeReply(exact, received({}, { query: cut, reply }))).toMatchObject({
      rule: 'another question',
    });
    const chaos = message({ flags: 0x0100, class: 3 });
    expect(judgeReply(exact, received({ class: 3 }, { query: chaos }))).toMatchObject({
      rule: 'another question',
    });
  });
});

describe('the reply', () => {
  test('is always accepted, with its message', () => {
    expect(judgeReply(exact, received({}))).toMatchObject({
      verdict: 'accept',
      rule: 'the reply to the query',
      message: { question: { type: 1, class: 1 } },
    });
    expect(judgeReply(exact, received({ flags: 0x8183 }))).toMatchObject({ verdict: 'accept' });
  });

  test.each([
    ['RCODE 1', 0x8181],
    ['RCODE 2', 0x8182],
    ['RCODE 5', 0x8185],
  ])('with an error always fails: %s', (rule, flags) => {
    expect(judgeReply(exact, received({ flags }))).toEqual({ verdict: 'fail', rule });
  });

  test('that is truncated is asked again over TCP, and never believed there', () => {
    // A truncated message may be cut anywhere: it is not read.
    const cut = { flags: 0x8380, rest: [0] };
    expect(judgeReply(exact, received(cut))).toEqual({ verdict: 'retry-tcp', rule: 'TC=1' });
    expect(judgeReply(exact, received(cut, { transport: 'tcp' }))).toEqual({
      verdict: 'fail',
      rule: 'TC=1 over TCP',
    });
  });
});

describe('the case of a question', () => {
  const judged = (sent: string, got: string, policy = folding) =>
    judgeReply(policy, received({ name: got }, { query: message({ flags: 0x0100, name: sent }) })).verdict;

  test.each([
    ['example.com', 'EXAMPLE.com'],
    ['aAzZ.com', 'AaZz.com'],
  ])('of %s may come back as %s only when 0x20 is off', (sent, got) => {
    expect([judged(sent, got), judged(sent, got, exact)]).toEqual(['accept', 'ignore']);
  });

  test.each([
    ['a@b', 'a`b'],
    ['a[b', 'a{b'],
    ['a1b', 'a\u0011b'],
    ['aa.b', 'ba.b'],
    ['a-b', 'a\rb'],
    ['ab', 'a'],
  ])('is never a matter of anything but letters: %j and %j', (sent, got) => {
    expect(judged(sent, got)).toBe('ignore');
    expect(judged(got, sent)).toBe('ignore');
  });

  test('is never a matter of a label’s length', () => {
    // 0x41 and 0x61 differ by the bit of case, but neither is a length: 0x01 and 0x21 are.
    const long = 'x'.repeat(0x21);
    expect(judged('a.b', `${long}.b`)).toBe('ignore');
    const letters = Uint8Array.from([
      ...query.subarray(0, 12),
      0x61,
      ...Array<number>(0x61).fill(0x61),
      0,
      0,
      1,
      0,
      1,
    ]);
    const reply = Uint8Array.from([...message({}).subarray(0, 12), 0x41, ...letters.subarray(13)]);
    expect(judgeReply(folding, received({}, { query: letters, reply }))).toMatchObject({
      rule: 'another question',
    });
  });
});
