/** The proxy between a guest, an upstream server and the sets of pins: one question, and what can go wrong with it. */
import { describe, expect, test } from 'vitest';
import { a, aaaa, cname, question, readAnswer, reply } from '../sample-messages.ts';
import { CoreStage, guest, only, otherResolver, policy, resolver, upstreams } from './core-stage.ts';

const servFail = 2;
const refused = 5;

describe('an allowed question', () => {
  test('is always answered with what the kernel has pinned, for every allowed port, and nothing else', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    expect(asked.upstream).toMatchObject(upstreams[0] as object);
    const told = only(stage.reply(asked, a('93.184.215.14', 60), a('10.0.0.9')));
    expect(told).toMatchObject({ id: 0x1234, rcode: 0, addresses: ['93.184.215.14'], client: guest });
    expect(stage.pinned()).toEqual(['tap0 93.184.215.14 tcp 443', 'tap0 93.184.215.14 udp 53']);
    expect(stage.count('pins', 'acknowledged')).toBe(1);
    expect(stage.log).toMatchObject([{ what: 'address refused', address: '10.0.0.9', name: 'example.com' }]);
  });

  test('never has its answer leave before the batch of its pins was done', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    const steps: string[] = [];
    const { run } = stage.pins;
    stage.pins.run = (commands) => {
      steps.push(`pins, ${stage.io.answered.length} answers out`);
      return run.call(stage.pins, commands);
    };
    stage.io.onSent = () => steps.push(`sent ${stage.io.answered.length}`);
    stage.io.reply(asked.socket, reply(asked.message, [a('93.184.215.14')]));
    expect(steps).toEqual([]);
    stage.round();
    expect(steps).toEqual(['pins, 0 answers out', 'sent 1']);
  });

  test('of a whole round is always pinned in one batch', () => {
    const stage = new CoreStage();
    for (let index = 0; index < 8; index++) stage.put(`n${index}.wild.test`, { id: index });
    stage.round();
    const asked = stage.takeAsked();
    expect(asked).toHaveLength(8);
    const before = stage.pins.batches.length;
    asked.forEach(({ socket, message }, index) => {
      stage.io.reply(socket, reply(message, [a(`93.184.215.${index}`)]));
    });
    expect(stage.round()).toHaveLength(8);
    expect(stage.pins.batches.length - before).toBe(1);
    expect(stage.pins.batches.at(-1)).toHaveLength(8);
  });

  test('always says a TTL that its pin outlives, however short or long the record', () => {
    const stage = new CoreStage();
    expect(stage.reply(only(stage.ask('example.com')), a('93.184.215.14', 5))[0]?.ttls).toEqual([5]);
    expect(stage.pins.read()[0]?.remainingMs).toBe(30_000);
    expect(stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.15', 90_000))[0]?.ttls).toEqual([300]);
    // Time passes while the kernel works: the pin is that much older when the answer leaves.
    const { run } = stage.pins;
    stage.pins.run = (commands) => {
      stage.nowMs += 0.2;
      return run.call(stage.pins, commands);
    };
    expect(stage.reply(only(stage.ask('m.wild.test')), a('93.184.215.16', 60))[0]?.ttls).toEqual([59]);
  });

  test('is always measured from the question to the acknowledgement of its pins', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    stage.nowMs += 7;
    const { run } = stage.pins;
    stage.pins.run = (commands) => {
      stage.nowMs += 13;
      return run.call(stage.pins, commands);
    };
    stage.reply(asked, a('93.184.215.14'));
    expect(stage.core.snapshot().latency.sumMs).toBe(20);
  });

  test('follows a chain of names, and pins IPv6 where that is on', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com', { type: 'AAAA', edns: 1_232 }));
    const chain = [cname('edge.test'), { ...aaaa('26064700'), owner: 'edge.test' }];
    expect(only(stage.reply(asked, ...chain)).addresses).toEqual(['26064700'.padEnd(32, '0')]);
    expect(stage.pinned()).toEqual(['tap0 2606:4700:: tcp 443', 'tap0 2606:4700:: udp 53']);
  });

  test('never lends a view: what the adapter does with its buffer afterwards changes nothing', () => {
    const stage = new CoreStage();
    // FakePacketIo spoils every buffer after the call.
    expect(only(stage.reply(only(stage.ask('example.com')), a('93.184.215.14'))).addresses).toEqual([
      '93.184.215.14',
    ]);
  });
});

describe('a question that goes nowhere', () => {
  test.each([
    ['evil.test', {}, refused, 'name is not allowlisted'],
    ['example.com', { type: 'HTTPS' }, 0, 'NODATA: only A and AAAA go upstream'],
    ['example.com', { flags: 0x0900 }, 1, 'malformed'],
  ] as const)('%s %j is answered by the decision alone', (name, shape, _, rule) => {
    const stage = new CoreStage();
    stage.put(name, shape);
    const told = stage.round();
    expect(stage.takeAsked()).toEqual([]);
    if (rule !== 'malformed') expect(stage.count('queries', rule)).toBe(1);
    expect(told).toHaveLength(1);
  });

  test('is never answered when it is an answer itself, or shorter than a header', () => {
    const stage = new CoreStage();
    stage.put('example.com', { flags: 0x8100 });
    stage.io.arrive(resolver, guest, Uint8Array.of(1, 2, 3));
    expect(stage.round()).toEqual([]);
    expect(stage.count('queries', 'QR=1: not a query')).toBe(1);
  });

  test('that is malformed is answered so often, and then not at all; a neighbour is answered', () => {
    const stage = new CoreStage({ complaintsPerSecond: 3 });
    const bad = question('example.com').subarray(0, 14);
    for (let index = 0; index < 10; index++) stage.io.arrive(resolver, guest, bad);
    stage.io.arrive(resolver, { ...guest, address: '10.0.0.3' }, bad);
    expect(stage.round().map(({ client }) => client.address)).toEqual([
      ...['10.0.0.2', '10.0.0.2', '10.0.0.2'],
      '10.0.0.3',
    ]);
    expect(stage.ask('example.com')).toHaveLength(1);
    stage.nowMs += 1_000;
    stage.io.arrive(resolver, guest, bad);
    expect(stage.round()).toHaveLength(1);
  });
});

describe('a failed pin', () => {
  test('always ends in SERVFAIL, and leaves nothing newly pinned', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    stage.pins.failures.push('ENFILE');
    expect(only(stage.reply(asked, a('93.184.215.14')))).toMatchObject({ rcode: servFail, addresses: [] });
    expect(stage.pinned()).toEqual([]);
    expect(stage.count('pins', 'kernel: ENFILE')).toBe(1);
  });

  test('of which nobody knows is always taken back', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    // The kernel did it, and its answer was lost.
    const { run } = stage.pins;
    let isFirst = true;
    stage.pins.run = (commands) => {
      const results = run.call(stage.pins, commands);
      const lost = isFirst;
      isFirst = false;
      return lost ? results.map(() => 'ETIMEDOUT') : results;
    };
    expect(only(stage.reply(asked, a('93.184.215.14')))).toMatchObject({ rcode: servFail });
    expect(stage.pinned()).toEqual([]);
  });

  test('of a full set never costs a neighbour its answer', () => {
    const stage = new CoreStage({ maxElementsPerSet: 2 });
    stage.attach('tap1', otherResolver);
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    stage.put('n.wild.test', { id: 1 });
    stage.put('n.wild.test', { id: 2 }, { address: '10.0.0.6', port: 1 }, otherResolver);
    stage.round();
    const told = stage.reply(only(stage.takeAsked()), a('93.184.215.15'));
    expect(told.map(({ id, rcode }) => [id, rcode])).toEqual([
      [1, servFail],
      [2, 0],
    ]);
    expect(stage.count('pins', 'set full')).toBe(1);
  });

  test('never outlasts the life of what stands: a set that was full has room again', () => {
    const stage = new CoreStage({ maxElementsPerSet: 2 });
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14', 30));
    stage.nowMs += 31_000;
    expect(only(stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.15'))).rcode).toBe(0);
  });
});

describe('answers over UDP', () => {
  const many = Array.from({ length: 40 }, (_, index) => a(`93.184.215.${index}`));

  test('are never longer than the guest said; it is told to ask over TCP, and nothing is pinned for it', () => {
    const stage = new CoreStage();
    const told = only(stage.reply(only(stage.ask('n.wild.test')), ...many));
    expect(told).toMatchObject({ truncated: true, addresses: [] });
    expect(stage.pinned()).toEqual([]);
    const asked = only(stage.ask('n.wild.test', { edns: 1_232 }));
    expect(only(stage.reply(asked, ...many)).addresses).toHaveLength(40);
  });

  test('and over TCP to the one that came by TCP, whole', () => {
    const stage = new CoreStage();
    stage.core.guestStream('tap0', 7, guest, question('n.wild.test'));
    expect(stage.io.isWoken).toBe(true);
    stage.round();
    stage.reply(only(stage.takeAsked()), ...many);
    const { connection, message } = only(stage.streams.answered);
    expect(connection).toBe(7);
    expect(readAnswer(message as Uint8Array).addresses).toHaveLength(40);
  });

  test('a message over TCP that has no answer always gives its place back', () => {
    const stage = new CoreStage();
    stage.core.guestStream('tap0', 7, guest, question('example.com', { flags: 0x8100 }));
    stage.core.guestStream('nobody', 8, guest, question('example.com'));
    expect(stage.streams.answered).toEqual([
      { connection: 7, message: null },
      { connection: 8, message: null },
    ]);
  });
});

describe('the same address under two names', () => {
  test('is never taken from one when the other goes', () => {
    const stage = new CoreStage();
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.14'));
    stage.core.change('tap0', { ...policy, allow: ['*.wild.test:80'] });
    expect(stage.pinned()).toEqual(['tap0 93.184.215.14 tcp 80']);
  });
});
