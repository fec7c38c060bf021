/** The answer rule by rule: what is pinned, what is refused, and the guest's answer to the octet. */
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../pin-address/ip-address.ts';
import { buildAnswer, planAnswer } from './dns-build.ts';
import { compileDnsPolicy, type DnsPolicy, type DnsPolicyOptions, type Transport } from './dns-policy.ts';
import { type Message, readMessage } from './wire.ts';

const options: DnsPolicyOptions = {
  allow: ['example.com:443', 'udp://example.com:53'],
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  ipv6: true,
  randomCase: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 3,
};
const policy = compileDnsPolicy(options);
const word = (value: number) => [value >> 8, value & 255];
const nameOf = (text: string) =>
  text === ''
    ? [0]
    : [...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
const opt = (payload: number) => [0, ...word(41), ...word(payload), 0, 0, 0, 0, 0, 0];

interface Item {
  readonly owner?: string;
  readonly type?: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly data: readonly number[];
}
const record = ({ owner = 'example.com', type = 1, class: itsClass = 1, ttl = 60, data }: Item) => [
  ...[...nameOf(owner), ...word(type), ...word(itsClass)],
  ...[...word(ttl >>> 16), ...word(ttl & 0xffff), ...word(data.length), ...data],
];
const a = (last: number, changes: Partial<Item> = {}): Item => ({ data: [1, 1, 1, last], ...changes });
const cname = (owner: string, target: string, ttl = 60): Item => ({
  owner,
  type: 5,
  ttl,
  data: nameOf(target),
});
const six = (text: string): Item => ({ type: 28, data: [...Buffer.from(text, 'hex')] });
const public6 = '26064700000000000000000000001111';

interface Shape {
  readonly flags?: number;
  readonly name?: string;
  readonly type?: number;
  readonly class?: number;
  readonly answers?: readonly Item[];
  readonly payload?: number;
}

function message(shape: Shape): Message {
  const { flags = 0x8180, name = 'example.com', type = 1, answers = [], payload } = shape;
  const extra = payload === undefined ? [] : opt(payload);
  const header = [
    0x10,
    0x92,
    ...word(flags),
    0,
    1,
    ...word(answers.length),
    0,
    0,
    ...word(extra.length === 0 ? 0 : 1),
  ];
  const octets = [
    ...header,
    ...nameOf(name),
    ...word(type),
    ...word(shape.class ?? 1),
    ...answers.flatMap(record),
    ...extra,
  ];
  const read = readMessage(Uint8Array.from(octets));
  if (read === null) throw new Error('the test wrote no message');
  return read;
}

function planned(guest: Shape, reply: Shape, own: DnsPolicy = policy, transport: Transport = 'tcp') {
  const [asked, got] = [message({ flags: 0x0100, ...guest }), message(reply)];
  const plan = planAnswer(own, asked, got, transport);
  const text = ({ offset, length }: { offset: number; length: 4 | 16 }) =>
    formatAddress(got.bytes, offset, length);
  return {
    plan,
    pins: plan.addresses.map(text),
    refused: plan.refused.map((entry) => `${text(entry)}: ${entry.rule}`),
    answer: (remainingSeconds: number | null) => buildAnswer(asked, got, plan, remainingSeconds),
  };
}

/** The guest's answer as octets: header, question, records. */
function answered(
  flags: number,
  counts: readonly [number, number],
  rest: readonly number[],
  type = 1,
): Uint8Array {
  const [answers, additional] = counts;
  const header = [0x10, 0x92, ...word(flags), 0, 1, ...word(answers), 0, 0, ...word(additional)];
  return Uint8Array.from([...header, ...nameOf('example.com'), ...word(type), 0, 1, ...rest]);
}

describe('a reply that pins nothing', () => {
  const ipv6Off = compileDnsPolicy({ ...options, ipv6: false });
  const loop = [cname('example.com', 'b.test'), cname('b.test', 'example.com')];

  test.each<[string, number, Shape, Shape, DnsPolicy]>([
    ['a question that never goes upstream', 0x8182, { class: 3 }, {}, policy],
    ['a question that never goes upstream', 0x8182, { type: 16 }, { type: 16 }, policy],
    ['NODATA: the IPv6 option is off', 0x8180, { type: 28 }, { type: 28, answers: [six(public6)] }, ipv6Off],
    ['NXDOMAIN', 0x8183, {}, { flags: 0x8183, answers: [a(1)] }, policy],
    ['RCODE 2', 0x8182, {}, { flags: 0x8182, answers: [a(1)] }, policy],
    ['RCODE 5', 0x8182, {}, { flags: 0x8185, answers: [a(1)] }, policy],
    ['another question', 0x8182, {}, { name: 'example.org', answers: [a(1)] }, policy],
    ['another question', 0x8182, {}, { type: 28, answers: [a(1)] }, policy],
    ['name is not allowlisted', 0x8185, { name: 'example.org' }, { name: 'example.org' }, policy],
    ['CNAME chain loops or exceeds 16 records', 0x8182, {}, { answers: loop }, policy],
    ['NODATA', 0x8180, {}, {}, policy],
    ['NODATA: every address is refused', 0x8180, {}, { answers: [{ data: [10, 0, 0, 1] }] }, policy],
  ])('is always answered by its rule: %s', (rule, flags, guest, reply, own) => {
    const { plan, pins, answer } = planned(guest, reply, own);
    expect(plan).toMatchObject({ rule, ports: [], pinTtlSeconds: 0, recordTtlSeconds: 0, chain: [] });
    expect(pins).toEqual([]);
    const asked = message({ flags: 0x0100, ...guest }).bytes;
    const header = [0x10, 0x92, ...word(flags), 0, 1, 0, 0, 0, 0, 0, 0];
    expect(answer(60)).toEqual(Uint8Array.from([...header, ...asked.subarray(12)]));
  });

  test('always names each address that it refuses', () => {
    const answers = [{ data: [10, 0, 0, 1] }, { data: [127, 0, 0, 1] }];
    expect(planned({}, { answers }).refused).toEqual([
      '10.0.0.1: private use (RFC 1918)',
      '127.0.0.1: loopback (RFC 1122)',
    ]);
    const mapped = planned(
      { type: 28 },
      { type: 28, answers: [six('00000000000000000000ffff01010101'), six(public6)] },
    );
    expect(mapped.refused).toEqual(['::ffff:101:101: IPv4-mapped address in an AAAA record']);
    expect(mapped.pins).toEqual(['2606:4700::1111']);
  });
});

describe('the addresses', () => {
  test('are always those of the asked type and class at the end of the chain, each once', () => {
    const { plan, pins, refused } = planned(
      {},
      {
        answers: [
          a(9, { owner: 'c.test' }),
          a(1, { owner: 'b.test' }),
          cname('example.com', 'b.test'),
          a(2, { owner: 'b.test', class: 3 }),
          { ...six(public6), owner: 'b.test' },
          a(1, { owner: 'B.TEST' }),
          a(8),
          { data: [10, 0, 0, 1], owner: 'b.test' },
          a(3, { owner: 'b.test' }),
        ],
      },
    );
    expect(pins).toEqual(['1.1.1.1', '1.1.1.3']);
    expect(refused).toEqual(['10.0.0.1: private use (RFC 1918)']);
    expect(plan).toMatchObject({
      final: null,
      rule: 'pin and answer',
      ports: [
        { protocol: 'tcp', port: 443, entry: 'example.com:443' },
        { protocol: 'udp', port: 53, entry: 'udp://example.com:53' },
      ],
    });
    expect(plan.chain).toHaveLength(1);
  });

  test('are never told apart by less than all their octets', () => {
    const data = (...octets: number[]): Item => ({ data: octets });
    const answers = [data(1, 1, 1, 1), data(1, 1, 1, 2), data(2, 1, 1, 1)];
    expect(planned({}, { answers }).pins).toEqual(['1.1.1.1', '1.1.1.2', '2.1.1.1']);
    const [low, high] = [six(public6), six(`${public6.slice(0, -2)}12`)];
    expect(planned({ type: 28 }, { type: 28, answers: [low, high, low] }).pins).toHaveLength(2);
    const third = six(`${public6.slice(0, -2)}13`);
    const all = ['2606:4700::1111', '2606:4700::1112', '2606:4700::1113'];
    expect(planned({ type: 28 }, { type: 28, answers: [low, low, high, high, third] }).pins).toEqual(all);
    expect(planned({}, { answers: [a(1), a(2), a(2), a(1), a(3)] }).pins).toEqual([
      ...['1.1.1.1', '1.1.1.2', '1.1.1.3'],
    ]);
  });

  test('are only the first, up to the bound', () => {
    const answers = [a(1), a(1), a(2), a(3), a(4), { data: [10, 0, 0, 1] }];
    const { pins, refused } = planned({}, { answers });
    expect(pins).toEqual(['1.1.1.1', '1.1.1.2', '1.1.1.3']);
    expect(refused).toEqual([]);
  });

  test('of IPv4 are always pinned where the IPv6 option is off', () => {
    const ipv6Off = compileDnsPolicy({ ...options, ipv6: false });
    expect(planned({}, { answers: [a(1)] }, ipv6Off).pins).toEqual(['1.1.1.1']);
  });

  test('are never pinned from a CNAME of another class', () => {
    const wrong = { ...cname('example.com', 'b.test'), class: 3 };
    expect(planned({}, { answers: [wrong, a(1, { owner: 'b.test' })] }).pins).toEqual([]);
  });
});

describe('the chain', () => {
  const names = Array.from({ length: 18 }, (_, index) => (index === 0 ? 'example.com' : `n${index}.test`));
  const chainOf = (length: number) =>
    Array.from({ length }, (_, index) => cname(names[index] ?? '', names[index + 1] ?? ''));

  test('is always followed through 16 records, in any order, and never through 17', () => {
    const reach = (length: number) =>
      planned({}, { answers: [...chainOf(length), a(1, { owner: names[length] ?? '' })].reverse() });
    expect(reach(16).pins).toEqual(['1.1.1.1']);
    expect(reach(16).plan.chain).toHaveLength(16);
    expect(reach(17)).toMatchObject({ pins: [], plan: { rule: 'CNAME chain loops or exceeds 16 records' } });
  });

  test('is never walked among more than 16 links, wherever they lead', () => {
    const beside = (count: number, own: Partial<Item> = {}) =>
      Array.from({ length: count }, (_, index) => ({ ...cname(`x${index}.test`, 'y.test'), ...own }));
    const end = a(1, { owner: 'n1.test' });
    expect(planned({}, { answers: [...beside(15), ...chainOf(1), end] }).pins).toEqual(['1.1.1.1']);
    expect(planned({}, { answers: [...beside(16), ...chainOf(1), end] }).pins).toEqual([]);
    // Of another class they are no links.
    const foreign = beside(16, { class: 3 });
    expect(planned({}, { answers: [...foreign, ...chainOf(1), end] }).pins).toEqual(['1.1.1.1']);
  });

  test('that loops is always found before it is long', () => {
    const answers = [cname('example.com', 'example.com')];
    expect(planned({}, { answers }).plan.rule).toBe('CNAME chain loops or exceeds 16 records');
  });
});

describe('the times', () => {
  test.each([
    [60, 60, 60, 60],
    [0, 60, 0, 30],
    [60, 20, 20, 30],
    [4000, 5000, 4000, 300],
    [400, 90, 90, 90],
  ])(
    'with TTLs of %i in the chain and %i of the address are always the least, within bounds',
    (chain, own, record, pin) => {
      const answers = [cname('example.com', 'b.test', chain), a(1, { owner: 'b.test', ttl: own })];
      const { plan } = planned({}, { answers });
      expect(plan).toMatchObject({ recordTtlSeconds: record, pinTtlSeconds: pin });
    },
  );

  test('are never those of an address that is refused', () => {
    const answers = [a(1, { ttl: 90 }), { data: [10, 0, 0, 1], ttl: 1 }];
    expect(planned({}, { answers }).plan).toMatchObject({ recordTtlSeconds: 90 });
  });
});

describe('the answer', () => {
  const pointer = (at: number) => word(0xc000 | at);
  const fixed = (owner: number, type: number, ttl: number, length: number) => [
    ...pointer(owner),
    ...[...word(type), 0, 1, 0, 0, ...word(ttl), ...word(length)],
  ];
  const answers = [
    cname('example.com', 'b.test'),
    cname('b.test', 'c.test'),
    a(1, { owner: 'c.test' }),
    a(2, { owner: 'c.test' }),
  ];

  test('is always built from scratch: chain and pinned addresses, nothing else', () => {
    const { answer } = planned({}, { answers });
    const b = 29 + 12;
    const c = b + nameOf('b.test').length + 12;
    const records = [
      ...[...fixed(12, 5, 60, 8), ...nameOf('b.test'), ...fixed(b, 5, 60, 8), ...nameOf('c.test')],
      ...[...fixed(c, 1, 60, 4), 1, 1, 1, 1, ...fixed(c, 1, 60, 4), 1, 1, 1, 2],
    ];
    expect(answer(60)).toEqual(answered(0x8180, [4, 0], records));
  });

  test('always tells the least of the record’s life and what is left of the pin, rounded down', () => {
    const ttlOf = (left: number) =>
      planned({}, { answers: [a(1)] })
        .answer(left)
        .subarray(35, 39);
    expect([...ttlOf(1e9)]).toEqual([0, 0, 0, 60]);
    expect([...ttlOf(59.99)]).toEqual([0, 0, 0, 59]);
    expect([
      ...planned({}, { answers: [a(1, { ttl: 0x01020304 })] })
        .answer(1e9)
        .subarray(35, 39),
    ]).toEqual([1, 2, 3, 4]);
  });

  test('is always SERVFAIL when a pin failed', () => {
    expect(planned({}, { answers }).answer(null)).toEqual(answered(0x8182, [0, 0], []));
  });

  test('always asks for recursion as the guest did, and carries an OPT when the guest sent one', () => {
    const { answer } = planned({ flags: 0, payload: 512, type: 28 }, { type: 28, answers: [six(public6)] });
    const records = [...fixed(12, 28, 60, 16), ...Buffer.from(public6, 'hex'), ...opt(1232)];
    expect(answer(60)).toEqual(answered(0x8080, [1, 1], records, 28));
  });
});

describe('an answer over UDP', () => {
  const many = compileDnsPolicy({ ...options, maxPinsPerAnswer: 200 });
  const addresses = (count: number) => Array.from({ length: count }, (_, index) => a(index));
  /** Header and question are 29 octets, an address 16, an OPT 11. */
  const truncated = (count: number, payload?: number, answers = addresses(count)) =>
    planned(payload === undefined ? {} : { payload }, { answers }, many, 'udp').plan.rule ===
    'TC: too large for UDP';

  test.each<[number | undefined, number]>([
    [undefined, 30],
    [0, 29],
    [512, 29],
    [536, 31],
    [541, 31],
    [1232, 74],
    [4096, 74],
  ])(
    'to a guest that offers %s octets always holds %i addresses, and is truncated with one more',
    (payload, most) => {
      expect([truncated(most, payload), truncated(most + 1, payload)]).toEqual([false, true]);
    },
  );

  test('always counts the chain', () => {
    const chain = [cname('example.com', `${'t'.repeat(63)}.test`)];
    const target = `${'t'.repeat(63)}.test`;
    const reached = (count: number) => addresses(count).map((item) => ({ ...item, owner: target }));
    // A CNAME of 12 + 70 octets.
    expect([
      truncated(25, undefined, [...chain, ...reached(25)]),
      truncated(26, undefined, [...chain, ...reached(26)]),
    ]).toEqual([false, true]);
  });

  test('that is too large always says so, pins nothing, and still names what was refused', () => {
    const { plan, refused, answer } = planned(
      {},
      { answers: [{ data: [10, 0, 0, 1] }, ...addresses(31)] },
      many,
      'udp',
    );
    expect(plan.addresses).toEqual([]);
    expect(refused).toEqual(['10.0.0.1: private use (RFC 1918)']);
    expect(answer(60)).toEqual(answered(0x8380, [0, 0], []));
  });

  test('never matters over TCP', () => {
    expect(planned({}, { answers: addresses(31) }, many, 'tcp').plan.rule).toBe('pin and answer');
  });
});
