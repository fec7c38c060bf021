/** Between the proxy and its servers: forgers, silence, failure, truncation; and never two queries for one question. */
import { describe, expect, test } from 'vitest';
import { a, question, reply } from '../sample-messages.ts';
import { CoreStage, guest, only, otherResolver, upstreams } from './core-stage.ts';

const servFail = 2;
const second: readonly [string, number] = ['10.0.0.3', 41_000];

describe('one question of many guests', () => {
  test('is always asked once, whoever asks and however often, and each gets the answer', () => {
    const stage = new CoreStage();
    stage.attach('tap1', otherResolver);
    const asked = only(stage.ask('example.com', { id: 1 }));
    expect(stage.ask('EXAMPLE.com', { id: 2 }, { address: second[0], port: second[1] })).toEqual([]);
    expect(stage.ask('example.com', { id: 3 }, { address: '10.0.0.6', port: 1 }, otherResolver)).toEqual([]);
    const told = stage.reply(asked, a('93.184.215.14'));
    expect(told.map(({ id, client }) => [id, client.address])).toEqual([
      [1, '10.0.0.2'],
      [2, '10.0.0.3'],
      [3, '10.0.0.6'],
    ]);
    expect(stage.pinned()).toEqual([
      ...['tap0 93.184.215.14 tcp 443', 'tap0 93.184.215.14 udp 53'],
      ...['tap1 93.184.215.14 tcp 443', 'tap1 93.184.215.14 udp 53'],
    ]);
  });

  test('is always told to each by that one’s own policy', () => {
    const stage = new CoreStage();
    const strict = { allow: ['example.com:443'], ipv6: false, nat64Prefixes: [], pinPrivateCIDRs: [] };
    stage.attach('tap1', otherResolver, { ...strict, denyCIDRs: ['93.184.215.0/24'] });
    const asked = only(stage.ask('example.com', { id: 1 }));
    stage.ask('example.com', { id: 2 }, { address: '10.0.0.6', port: 1 }, otherResolver);
    const told = stage.reply(asked, a('93.184.215.14'), a('93.184.216.34'));
    expect(told.map(({ addresses }) => addresses)).toEqual(
      [['93.184.216.34'], ['93.184.215.14', '93.184.216.34']].reverse(),
    );
    expect(stage.pinned().filter((pin) => pin.startsWith('tap1'))).toEqual(['tap1 93.184.216.34 tcp 443']);
  });

  test('of another type is always another question', () => {
    const stage = new CoreStage();
    stage.ask('example.com');
    expect(stage.ask('example.com', { type: 'AAAA' })).toHaveLength(1);
  });

  test('is never on its way twice, not even after a server was silent', () => {
    const stage = new CoreStage();
    const first = only(stage.ask('example.com'));
    stage.round(1_000);
    const again = only(stage.takeAsked());
    // What the first server says now answers nothing any more.
    expect(stage.reply(first, a('93.184.215.66'))).toEqual([]);
    expect(stage.count('replies', 'no query waits for it')).toBe(1);
    expect(only(stage.reply(again, a('93.184.215.14'))).addresses).toEqual(['93.184.215.14']);
  });
});

describe('a forger', () => {
  const forged = a('93.184.215.66');

  test('who is first never wins, and never ends the wait', () => {
    const stage = new CoreStage();
    const { socket, message } = only(stage.ask('example.com'));
    const id = ((message[0] ?? 0) << 8) | (message[1] ?? 0);
    const lower = question('example.com').subarray(12);
    const put = (octets: Uint8Array, from?: { address: string; port: number }) =>
      from === undefined ? stage.io.reply(socket, octets) : stage.io.reply(socket, octets, from);
    put(reply(message, [forged], { id: id ^ 1 }));
    put(reply(message, [forged]), { address: '198.51.100.1', port: 53 });
    put(reply(message, [forged]), { address: '192.0.2.53', port: 54 });
    put(reply(message, [forged], { question: lower }));
    put(reply(message, [forged], { flags: 0x0180 }));
    put(reply(message, [forged]).subarray(0, 30));
    put(Uint8Array.of(1));
    put(new Uint8Array(0));
    stage.io.reply(socket + 1, reply(message, [forged]));
    expect(stage.round()).toEqual([]);
    expect(stage.pinned()).toEqual([]);
    expect(only(stage.reply({ socket, message, upstream: guest }, a('93.184.215.14'))).addresses).toEqual([
      '93.184.215.14',
    ]);
  });

  test('never knows ID, socket and case of the next query from the last', () => {
    const stage = new CoreStage();
    const asked = Array.from({ length: 64 }, (_, index) => only(stage.ask(`nnnnnnnn${index}.wild.test`)));
    const ids = new Set(asked.map(({ message }) => ((message[0] ?? 0) << 8) | (message[1] ?? 0)));
    const sockets = new Set(asked.map(({ socket }) => socket));
    const cases = new Set(
      asked.map(({ message }) => Buffer.from(message.subarray(13, 21)).toString('latin1')),
    );
    expect([ids.size > 60, sockets.size > 8, cases.size > 40]).toEqual([true, true, true]);
  });

  test('finds 0x20 off only for the server for which it is', () => {
    const [first] = upstreams;
    const stage = new CoreStage({}, [{ ...(first as object), randomCase: false } as (typeof upstreams)[0]]);
    const { socket, message } = only(stage.ask('example.com'));
    expect(Buffer.from(message.subarray(13, 20)).toString('latin1')).toBe('example');
    stage.io.reply(
      socket,
      reply(message, [a('93.184.215.14')], { question: question('EXAMPLE.com').subarray(12) }),
    );
    expect(only(stage.round()).addresses).toEqual(['93.184.215.14']);
  });
});

describe('a server that does not reply', () => {
  test('is followed by the next, in order, so often and no more; then the guest gets SERVFAIL', () => {
    const stage = new CoreStage({ maxAttempts: 3 });
    const asked = [only(stage.ask('example.com'))];
    for (let time = 0; time < 2; time++) {
      expect(stage.round(1_000)).toEqual([]);
      asked.push(only(stage.takeAsked()));
    }
    expect(asked.map(({ upstream }) => upstream.address)).toEqual(['192.0.2.53', '192.0.2.54', '192.0.2.53']);
    // Each attempt has an ID of its own.
    expect(new Set(asked.map(({ message }) => message.subarray(0, 2).join())).size).toBe(3);
    expect(only(stage.round(1_000))).toMatchObject({ rcode: servFail });
    expect(stage.takeAsked()).toEqual([]);
    expect(stage.core.snapshot()).toMatchObject({ inFlight: 0, exchanges: 0 });
  });

  test('counts as down after some time-outs in a row, is probed now and then, and is well when it replies', () => {
    const stage = new CoreStage({ maxAttempts: 2, timeoutsUntilDown: 2, probeEveryMs: 5_000 });
    const answerBySecond = (name: string) => {
      const first = only(stage.ask(name));
      if (first.upstream.address === '192.0.2.54')
        return ['54', ...stage.reply(first, a('93.184.215.14')).map(() => 'told')];
      stage.round(1_000);
      return ['53', '54', ...stage.reply(only(stage.takeAsked()), a('93.184.215.14')).map(() => 'told')];
    };
    expect(answerBySecond('a.wild.test')).toEqual(['53', '54', 'told']);
    expect(answerBySecond('b.wild.test')).toEqual(['53', '54', 'told']);
    expect(stage.log.map(({ what }) => what)).toEqual(['upstream server is down']);
    expect(stage.core.snapshot().upstreams).toEqual([
      { endpoint: '192.0.2.53:53', isUp: false },
      { endpoint: '192.0.2.54:53', isUp: true },
    ]);
    expect(answerBySecond('c.wild.test')).toEqual(['54', 'told']);
    stage.nowMs += 5_000;
    // One question probes; the next one does not wait for it.
    const probe = only(stage.ask('d.wild.test'));
    expect(probe.upstream.address).toBe('192.0.2.53');
    expect(answerBySecond('e.wild.test')).toEqual(['54', 'told']);
    stage.reply(probe, a('93.184.215.14'));
    expect(stage.core.snapshot().upstreams[0]?.isUp).toBe(true);
    expect(only(stage.ask('f.wild.test')).upstream.address).toBe('192.0.2.53');
  });

  test('because the network says so costs no time', () => {
    const stage = new CoreStage();
    stage.io.unreachable.add('192.0.2.53:53');
    expect(only(stage.ask('example.com')).upstream.address).toBe('192.0.2.54');
    stage.io.unreachable.add('192.0.2.54:53');
    stage.put('n.wild.test');
    expect(only(stage.round())).toMatchObject({ rcode: servFail });
  });

  test('is asked all the same while all are down', () => {
    const stage = new CoreStage({ maxAttempts: 2, timeoutsUntilDown: 1 });
    stage.ask('a.wild.test');
    stage.round(1_000);
    stage.round(1_000);
    stage.takeAsked();
    const asked = only(stage.ask('b.wild.test'));
    expect(only(stage.reply(asked, a('93.184.215.14'))).rcode).toBe(0);
  });
});

describe('a server that fails', () => {
  test('with an error is followed by the next; with NXDOMAIN it is believed', () => {
    const stage = new CoreStage();
    const first = only(stage.ask('example.com'));
    stage.io.reply(first.socket, reply(first.message, [], { flags: 0x8182 }));
    expect(stage.round()).toEqual([]);
    const next = only(stage.takeAsked());
    expect(next.upstream.address).toBe('192.0.2.54');
    stage.io.reply(next.socket, reply(next.message, [], { flags: 0x8183 }));
    expect(only(stage.round())).toMatchObject({ rcode: 3 });
  });

  test('to fit is asked again over TCP, by another ID, within a deadline of its own', () => {
    const stage = new CoreStage({ maxAttempts: 3 });
    const { socket, message } = only(stage.ask('example.com'));
    stage.io.reply(socket, reply(message, [a('93.184.215.66')], { flags: 0x8380 }));
    expect(stage.round()).toEqual([]);
    const byStream = only(stage.streams.asked);
    expect(byStream.upstream).toEqual({ address: '192.0.2.53', port: 53 });
    expect(byStream.message).not.toEqual(message);
    // A late reply over UDP is nothing any more.
    stage.io.reply(socket, reply(message, [a('93.184.215.66')]));
    expect(stage.round(1_500)).toEqual([]);
    stage.core.upstreamStream(byStream.token, reply(byStream.message, [a('93.184.215.14')]));
    expect(only(stage.round()).addresses).toEqual(['93.184.215.14']);
    stage.core.upstreamStream(byStream.token, reply(byStream.message, [a('93.184.215.66')]));
    expect(stage.round()).toEqual([]);
  });

  test.each([
    ['nothing over TCP', () => null],
    ['what is not the reply', (query: Uint8Array) => reply(query, [], { id: 1 })],
    ['TC over TCP', (query: Uint8Array) => reply(query, [], { flags: 0x8380 })],
  ])('with %s is followed by another attempt', (_, answer) => {
    const stage = new CoreStage();
    const { socket, message } = only(stage.ask('example.com'));
    stage.io.reply(socket, reply(message, [], { flags: 0x8380 }));
    stage.round();
    const byStream = only(stage.streams.asked);
    stage.core.upstreamStream(byStream.token, answer(byStream.message));
    stage.round();
    expect(only(stage.takeAsked()).upstream.address).toBe('192.0.2.54');
  });

  test('that is silent over TCP never holds the guest beyond the deadline', () => {
    const stage = new CoreStage({ maxAttempts: 2 });
    const { socket, message } = only(stage.ask('example.com'));
    stage.io.reply(socket, reply(message, [], { flags: 0x8380 }));
    stage.round();
    expect(stage.round(1_999)).toEqual([]);
    expect(only(stage.round(1))).toMatchObject({ rcode: servFail });
  });
});

describe('a round', () => {
  test('always says when the next deadline is', () => {
    const stage = new CoreStage();
    expect(stage.io.round(stage.nowMs)).toBe(Number.POSITIVE_INFINITY);
    stage.put('example.com');
    expect(stage.io.round(stage.nowMs)).toBe(1_000);
    stage.nowMs += 400;
    expect(stage.io.round(stage.nowMs)).toBe(600);
    stage.reply(only(stage.takeAsked()), a('93.184.215.14'));
    expect(stage.io.round(stage.nowMs)).toBe(Number.POSITIVE_INFINITY);
  });

  test('other servers are asked from the moment they are named, also for what is under way', () => {
    const stage = new CoreStage();
    stage.ask('example.com');
    stage.core.setUpstreams([{ address: '192.0.2.99', port: 53 }]);
    const asked = only(stage.takeAsked());
    expect(asked.upstream.address).toBe('192.0.2.99');
    expect(only(stage.reply(asked, a('93.184.215.14'))).rcode).toBe(0);
  });
});
