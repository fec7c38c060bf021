/** The whole proxy on loopback, with both adapters and sets of pins that are no kernel's: UDP, TCP, control, end. */
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { policy } from './core/core-stage.ts';
import { FakePins } from './core/fake-pins.ts';
import { type DnsProxy, type DnsProxyOptions, startDnsProxy } from './dnsproxy.ts';
import { freeLoopbackEndpoint, loopbackPeer } from './packets/loopback-peer.ts';
import type { PacketPeer } from './packets/packet-io-contract.ts';
import { a, question, readAnswer, reply } from './sample-messages.ts';
import { framed, StreamFrames } from './streams/stream-frames.ts';
import { type UpstreamStub, upstreamStub } from './upstream-stub.ts';

const log = openLog('test', 'silent');
const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface Ground {
  readonly proxy: DnsProxy;
  readonly pins: FakePins;
  readonly listen: DnsEndpoint;
  readonly upstream: UpstreamStub;
  readonly guest: PacketPeer;
}

type Answerer = Parameters<typeof upstreamStub>[0];
const honest: Answerer = (query) => reply(query, [a('93.184.215.14', 60)]);

async function ground(
  io: 'epoll' | 'dgram',
  answer: Answerer = honest,
  limits: DnsProxyOptions['limits'] = {},
): Promise<Ground> {
  const upstream = await upstreamStub(answer);
  const pins = new FakePins();
  pins.makeSets('tap0');
  const proxy = await startDnsProxy({ upstreams: [upstream.endpoint], io, log, pins, limits });
  const guest = await loopbackPeer();
  const listen = await freeLoopbackEndpoint();
  await proxy.attach({ tap: 'tap0', listen: [listen], policy });
  open.push(upstream, guest, { close: () => proxy.stop() });
  return { proxy, pins, listen, upstream, guest };
}

async function refusalOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

/** Messages that come back on one connection, until `count` came or it was closed. */
function exchangeByTcp(to: DnsEndpoint, octets: readonly Uint8Array[], count: number): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const frames = new StreamFrames();
    const messages: Uint8Array[] = [];
    const socket = connect(to.port, to.address, async () => {
      for (const piece of octets) {
        socket.write(piece);
        await new Promise((go) => setTimeout(go, 2));
      }
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(messages));
    socket.on('data', (received) => {
      messages.push(...(frames.push(received) ?? []));
      if (messages.length >= count) socket.destroy();
    });
  });
}

describe.each(['dgram', 'epoll'] as const)('the proxy on %s', (io) => {
  test('answers over UDP what it has pinned, and says so in its metrics', async () => {
    const { proxy, pins, listen, guest } = await ground(io);
    guest.send(listen, question('example.com', { id: 7 }));
    const { message } = await guest.next();
    expect(readAnswer(message)).toMatchObject({ id: 7, rcode: 0, addresses: ['93.184.215.14'] });
    expect(pins.read()).toHaveLength(2);
    guest.send(listen, question('evil.test'));
    expect(readAnswer((await guest.next()).message).rcode).toBe(5);
    const metrics = await proxy.metrics();
    expect(metrics).toContain('huskproof_dns_queries_total{rule="allowlisted"} 1');
    expect(metrics).toContain('huskproof_dns_queries_total{rule="name is not allowlisted"} 1');
    expect(metrics).toMatch(/huskproof_dns_answer_seconds_bucket\{le="\+Inf"\} 1/);
    expect(metrics).toMatch(/huskproof_dns_upstream_up\{server="127\.0\.0\.1:\d+"\} 1/);
  });

  test('never asks for a guest that speaks another version of EDNS than 0: BADVERS, and no pin', async () => {
    const { proxy, pins, listen, guest, upstream } = await ground(io);
    const asked = question('example.com', { id: 8, edns: 4096, ednsVersion: 1 });
    guest.send(listen, asked);
    // RCODE 16: four bits in the header, and in front of them 1 in an OPT of version 0.
    const header = [0, 8, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 1];
    const badVers = [...header, ...asked.subarray(12, -11), 0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0];
    expect([...(await guest.next()).message]).toEqual(badVers);
    const [told] = await exchangeByTcp(listen, [framed(asked)], 1);
    expect([...(told ?? [])]).toEqual(badVers);
    expect([upstream.heard.length, pins.read().length]).toEqual([0, 0]);
    const metrics = await proxy.metrics();
    expect(metrics).toContain('huskproof_dns_queries_total{rule="EDNS version is not 0"} 2');
    expect(metrics).toContain('huskproof_dns_answers_total{rule="BADVERS"} 2');
    // The same question in version 0.
    guest.send(listen, question('example.com', { id: 9, edns: 4096 }));
    expect(readAnswer((await guest.next()).message)).toMatchObject({
      ...{ id: 9, rcode: 0, addresses: ['93.184.215.14'] },
    });
    expect([upstream.heard.length, pins.read().length]).toEqual([1, 2]);
  });

  test('never pins what a reply holds whose OPT makes NOERROR an error; its version alone is none', async () => {
    const edns = { badvers: 0x0100_0000, newer: 0x0001_0000 };
    const { pins, listen, guest, upstream } = await ground(io, (query) => {
      const isWild = String.fromCharCode(query[13] ?? 0).toLowerCase() === 'n';
      return reply(query, [a('93.184.215.14')], { edns: isWild ? edns.newer : edns.badvers });
    });
    guest.send(listen, question('example.com', { id: 1 }));
    expect(readAnswer((await guest.next()).message)).toMatchObject({ id: 1, rcode: 2, addresses: [] });
    expect(upstream.heard.length).toBeGreaterThan(0);
    expect(pins.read()).toEqual([]);
    guest.send(listen, question('n.wild.test', { id: 2 }));
    expect(readAnswer((await guest.next()).message)).toMatchObject({ id: 2, addresses: ['93.184.215.14'] });
  });

  test('asks again over TCP what was truncated, and gives the guest what it got', async () => {
    const { listen, guest, upstream } = await ground(io, (query, transport) =>
      reply(
        query,
        transport === 'udp' ? [] : [a('93.184.215.14')],
        transport === 'udp' ? { flags: 0x8380 } : {},
      ),
    );
    guest.send(listen, question('example.com'));
    expect(readAnswer((await guest.next()).message)).toMatchObject({ addresses: ['93.184.215.14'] });
    expect(upstream.heard.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
    // Another ID, another case.
    expect(upstream.heard[0]?.query).not.toEqual(upstream.heard[1]?.query);
  });

  test('answers over TCP, however the messages are cut or joined', async () => {
    const { listen } = await ground(io);
    const one = framed(question('example.com', { id: 1 }));
    const two = framed(question('evil.test', { id: 2 }));
    const joined = Buffer.concat([one, two, framed(question('n.wild.test', { id: 3 }))]);
    const cut = [joined.subarray(0, 1), joined.subarray(1, 20), joined.subarray(20, 60), joined.subarray(60)];
    for (const pieces of [[joined], cut]) {
      const told = (await exchangeByTcp(listen, pieces, 3)).map(readAnswer);
      expect(told.map(({ id, rcode }) => [id, rcode]).sort()).toEqual([
        [1, 0],
        [2, 5],
        [3, 0],
      ]);
    }
  });
});

describe.each(['dgram', 'epoll'] as const)('control of the proxy on %s', (io) => {
  test('attaches, changes and detaches while it runs, and refuses what is wrong by its code', async () => {
    const { proxy, pins, listen, guest } = await ground(io);
    guest.send(listen, question('example.com'));
    await guest.next();
    await proxy.change('tap0', { ...policy, allow: ['*.wild.test:80'] });
    expect(pins.read()).toEqual([]);
    guest.send(listen, question('example.com'));
    expect(readAnswer((await guest.next()).message).rcode).toBe(5);

    const other = await freeLoopbackEndpoint();
    expect(await refusalOf(proxy.attach({ tap: 'tap0', listen: [other], policy }))).toMatch(/^tap-taken/);
    expect(await refusalOf(proxy.attach({ tap: 'tap1', listen: [other], policy }))).toMatch(/^no-sandbox/);
    pins.makeSets('tap1');
    expect(await refusalOf(proxy.attach({ tap: 'tap1', listen: [listen], policy }))).toMatch(
      /^address-taken: .*tcp/,
    );
    expect(await refusalOf(proxy.attach({ tap: 'tap1', listen: [guest.endpoint], policy }))).toMatch(
      /^address-taken: .*udp/,
    );
    const bad = { ...policy, allow: ['x.*.test:80'] };
    expect(await refusalOf(proxy.attach({ tap: 'tap1', listen: [other], policy: bad }))).toMatch(
      /^bad-allow-entry: allow: "x\.\*\.test:80": a wildcard/,
    );
    expect(await refusalOf(proxy.change('tap1', policy))).toMatch(/^no-sandbox/);
    // After all these refusals the address is free.
    await proxy.attach({ tap: 'tap1', listen: [other], policy });
    guest.send(other, question('example.com'));
    expect(readAnswer((await guest.next()).message).addresses).toEqual(['93.184.215.14']);
    await proxy.detach('tap1');
    expect(pins.read()).toEqual([]);
    await proxy.attach({ tap: 'tap1', listen: [other], policy });
  });

  test('answers what is under way when it is stopped, and nothing more', async () => {
    const { proxy, listen, guest, upstream } = await ground(io, () => null, { attemptMs: 100 });
    guest.send(listen, question('example.com', { id: 9 }));
    while (upstream.heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const stopped = proxy.stop();
    guest.send(listen, question('n.wild.test', { id: 10 }));
    expect(readAnswer((await guest.next()).message)).toMatchObject({ id: 9, rcode: 2 });
    await stopped;
    // Each was for the name that was under way: `e` comes after its length.
    const asked = upstream.heard.map(({ query }) => String.fromCharCode(query[13] ?? 0).toLowerCase());
    expect(new Set(asked)).toEqual(new Set(['e']));
  });
});

describe('a proxy that cannot do what it is told', () => {
  const start = (upstreams: DnsProxyOptions['upstreams']) =>
    startDnsProxy({ upstreams, io: 'dgram', log, pins: new FakePins() });

  test.each([
    [[], /^no-upstream/],
    [[{ address: 'ns.test', port: 53 }], /^bad-endpoint: upstream: "ns\.test" is no address/],
    [[{ address: '192.0.2.1', port: 0 }], /^bad-endpoint: upstream: 192\.0\.2\.1:0: the port/],
    [[{ address: '::ffff:192.0.2.1', port: 53 }], /^bad-endpoint: upstream: ::ffff:192\.0\.2\.1 is an IPv4/],
    [
      [
        { address: '2001:db8::1', port: 53 },
        { address: '2001:db8:0::1', port: 53 },
      ],
      /^bad-endpoint: upstream: \[2001:db8::1\]:53 is named twice/,
    ],
  ] as const)('never starts: %j', async (upstreams, expected) => {
    expect(await refusalOf(start(upstreams))).toMatch(expected);
  });

  test('never asks itself: not when it starts to listen, nor when its servers change', async () => {
    const { proxy, pins, listen, upstream } = await ground('dgram');
    pins.makeSets('tap1');
    const loops = { tap: 'tap1', listen: [upstream.endpoint], policy };
    expect(await refusalOf(proxy.attach(loops))).toContain('upstream-loop');
    const wild = { ...loops, listen: [{ address: '0.0.0.0', port: upstream.endpoint.port }] };
    expect(await refusalOf(proxy.attach(wild))).toContain('upstream-loop');
    expect(await refusalOf(proxy.setUpstreams([listen]))).toContain('upstream-loop');
    expect(await refusalOf(proxy.setUpstreams([]))).toMatch(/^no-upstream/);
    await proxy.setUpstreams([{ address: '192.0.2.1', port: 53 }]);
  });
});
