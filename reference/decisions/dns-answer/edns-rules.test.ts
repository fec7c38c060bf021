/** RCODE and version in an OPT record (RFC 6891 section 6.1.3): read whole, answered, never taken for less. */
import { describe, expect, test } from 'vitest';
import { planAnswer } from './dns-build.ts';
import { compileDnsPolicy } from './dns-policy.ts';
import { decideQuery } from './dns-query.ts';
import { judgeReply } from './dns-reply.ts';
import { type Message, readMessage } from './wire.ts';

const policy = compileDnsPolicy({
  ...{ allow: ['example.com:443'], denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] },
  ...{ ipv6: true, randomCase: false, ttlFloorSeconds: 30, ttlCeilingSeconds: 300, maxPinsPerAnswer: 64 },
});
const question = (text: string, type = 1) => [
  ...[...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0],
  ...[0, type, 0, 1],
];
/** @param ttl extended RCODE, version, and two octets of flags */
const opt = (ttl: readonly number[], payload = [16, 0]) => [0, 0, 41, ...payload, ...ttl, 0, 0];
const random = { id: 0x4242, caseBits: new Uint8Array(32) };

/** @param ttl of an OPT record; null: there is none */
function asked(ttl: readonly number[] | null, own = question('example.com')): Uint8Array {
  const end = ttl === null ? [] : opt(ttl);
  return Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, end.length === 0 ? 0 : 1, ...own, ...end]);
}

/** An address, and an OPT record that says this. */
function replied(code: number, ttl: readonly number[] | null): Uint8Array {
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 1, 1, 1];
  const end = ttl === null ? [] : opt(ttl);
  const header = [0x42, 0x42, 0x81, 0x80 | code, 0, 1, 0, 1, 0, 0, 0, end.length === 0 ? 0 : 1];
  return Uint8Array.from([...header, ...question('example.com'), ...record, ...end]);
}

function read(octets: Uint8Array): Message {
  const message = readMessage(octets);
  if (message === null) throw new Error('the test wrote no message');
  return message;
}

describe('a message', () => {
  test.each<[number, number, number, readonly number[] | null]>([
    [5, 0, 5, null],
    [5, 0, 5, [0, 0, 0xff, 0xff]],
    [16, 0, 0, [1, 0, 0, 0]],
    [19, 7, 3, [1, 7, 0x80, 0]],
    [4_095, 255, 15, [255, 255, 0, 0]],
    // With the top bit set another record would live for no time.
    [2_048, 128, 0, [128, 128, 0, 0]],
  ])('is always read as of RCODE %i and version %i', (rcode, ednsVersion, code, ttl) => {
    expect(read(replied(code, ttl))).toMatchObject({ rcode, ednsVersion });
  });

  test('is never of another RCODE or version by the record of another type', () => {
    const octets = [...replied(0, [1, 1, 0, 0])];
    // A TXT record where the OPT was: its TTL is one.
    octets[octets.length - 9] = 16;
    expect(read(Uint8Array.from(octets))).toMatchObject({ rcode: 0, ednsVersion: 0 });
  });
});

describe('a query of a version that is not spoken', () => {
  test.each<[string, readonly number[], number[]]>([
    ['version 1', [0, 1, 0, 0], question('example.com')],
    ['version 255, an RCODE and flags', [255, 255, 255, 255], question('example.com')],
    ['a name that is not allowlisted', [0, 1, 0, 0], question('attacker.net')],
    ['a type that never goes upstream', [0, 1, 0, 0], question('example.com', 16)],
  ])('is always answered BADVERS, in version 0, and goes nowhere: %s', (_what, ttl, own) => {
    const header = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 1];
    expect(decideQuery(policy, asked(ttl, own), 'udp', random)).toEqual({
      verdict: 'answer',
      message: Uint8Array.from([...header, ...own, ...opt([1, 0, 0, 0], [4, 208])]),
      rcode: 16,
      rule: 'EDNS version is not 0',
    });
  });

  test.each<[string, readonly number[] | null]>([
    ['no OPT', null],
    ['version 0', [0, 0, 0, 0]],
    ['version 0, flags', [0, 0, 255, 255]],
    ['version 0, an RCODE', [255, 0, 0, 0]],
  ])('is never what is spoken: %s', (_what, ttl) => {
    expect(decideQuery(policy, asked(ttl), 'udp', random)).toMatchObject({ verdict: 'forward' });
  });
});

describe('a reply', () => {
  const server = { address: '192.0.2.53', port: 53 };
  const query = Uint8Array.from([0x42, 0x42, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...question('example.com')]);
  const judged = (reply: Uint8Array) =>
    judgeReply(policy, { query, sentTo: server, reply, from: server, transport: 'udp' });
  const guest = read(asked(null));

  test.each<[string, number, readonly number[]]>([
    ['RCODE 16', 0, [1, 0, 0, 0]],
    ['RCODE 16', 0, [1, 1, 0, 0]],
    ['RCODE 2048', 0, [128, 0, 0, 0]],
    ['RCODE 19', 3, [1, 0, 0, 0]],
  ])('is never used, nor pinned from, whose OPT makes an error of its code: %s', (rule, code, ttl) => {
    expect(judged(replied(code, ttl))).toEqual({ verdict: 'fail', rule });
    // For whoever asks for pins without having it judged.
    const plan = planAnswer(policy, guest, read(replied(code, ttl)), 'udp');
    expect(plan).toMatchObject({ addresses: [], rule });
    expect((plan.final ?? [])[3]).toBe(0x82);
  });

  test.each<[number, readonly number[]]>([
    [0, [0, 1, 0, 0]],
    [0, [0, 255, 0x80, 0]],
    [3, [0, 1, 0, 0]],
  ])('of RCODE %i is always accepted in whatever version its server could speak', (code, ttl) => {
    expect(judged(replied(code, ttl))).toMatchObject({ verdict: 'accept', message: { rcode: code } });
  });
});
