/** The fast adapter on real sockets of the loopback interface: what arrives, what is dropped, what is left. */
import { createSocket, type Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { epollEventLayout } from '../../base/datagram-syscalls.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { slotOctets } from './datagram-memory.ts';
import { EpollIo, type EpollIoOptions } from './epoll-io.ts';
import { freeLoopbackEndpoint, loopbackPeer } from './loopback-peer.ts';
import type { PacketHandler } from './packet-io.ts';
import { type PacketGround, type PacketPeer, packetIoContract } from './packet-io-contract.ts';

const coded = (code: string) => expect.objectContaining({ code });
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

const descriptors = () => readdirSync('/proc/self/fd').length;

/** In the test's own thread: it waits in a thread beside. */
function start(handler: Partial<PacketHandler>, options: Partial<EpollIoOptions> = {}) {
  const io = new EpollIo({ wait: 'beside', socketsPerUpstream: 16, ...options });
  const ended = io.run({
    guestMessage: () => undefined,
    upstreamMessage: () => undefined,
    roundEnded: () => {
      io.flush();
      return Number.POSITIVE_INFINITY;
    },
    ...handler,
  });
  const over = ended.catch((error: unknown) => error);
  opened.push(() => {
    io.close();
    return over;
  });
  return { io, ended };
}

/** A socket of somebody else's, and all that it hears. */
async function peer(address = '127.0.0.1') {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  const heard: { text: string; port: number }[] = [];
  socket.on('message', (message, { port }) => heard.push({ text: message.toString(), port }));
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const close = () => new Promise<void>((resolve) => socket.close(resolve));
  opened.push(close);
  return { socket, heard, endpoint: { address, port: socket.address().port } };
}

const tell = (socket: Socket, text: string, { port, address }: DnsEndpoint) =>
  new Promise<void>((resolve, reject) =>
    socket.send(text, port, address, (error) => (error === null ? resolve() : reject(error))),
  );

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it did not come about');
}

async function ground(): Promise<PacketGround> {
  const io = new EpollIo({ wait: 'beside', socketsPerUpstream: 16 });
  const peers: PacketPeer[] = [];
  return {
    io,
    freeEndpoint: () => freeLoopbackEndpoint(),
    async peer() {
      const peer = await loopbackPeer();
      peers.push(peer);
      return peer;
    },
    async close() {
      io.close();
      for (const peer of peers) peer.close();
    },
  };
}

describe('epoll-io', () => packetIoContract(ground));

describe('the guests’ side', () => {
  test.each(['127.0.0.1', '::1'])(
    'what a guest asks at %s is answered from where it asked',
    async (address) => {
      const { io } = start({
        guestMessage: (listener, client, message) =>
          io.answer(listener, client, Buffer.from(`${Buffer.from(message)}!`)),
      });
      const listener = io.listen({ address, port: 0 });
      const { port = 0 } = io.endpointOf(listener) ?? {};
      const { socket, heard } = await peer(address);
      const count = 300;
      for (let index = 0; index < count; index++) await tell(socket, `question ${index}`, { address, port });
      await until(() => heard.length === count);
      expect(heard).toEqual(
        expect.arrayContaining(
          Array.from({ length: count }, (_, index) => ({ text: `question ${index}!`, port })),
        ),
      );
      expect(io.counters.answersDropped).toBe(0);
    },
  );

  test('a client of its own words is answered too, and one that no socket can reach is dropped alone', async () => {
    const { io } = start({});
    const { heard, endpoint } = await peer();
    const listener = io.listen({ address: '127.0.0.1', port: 0 });
    io.answer(listener, endpoint, Buffer.from('first'));
    io.answer(listener, { address: '127.0.0.1', port: 0 }, Buffer.from('nowhere'));
    io.answer(listener, endpoint, Buffer.from('second'));
    io.flush();
    await until(() => heard.length === 2);
    expect(heard.map(({ text }) => text)).toEqual(['first', 'second']);
    expect(io.counters.answersDropped).toBe(1);
  });

  test('more answers than the queue holds are all sent', async () => {
    const { io } = start({});
    const { heard, endpoint } = await peer();
    const listener = io.listen({ address: '127.0.0.1', port: 0 });
    for (let index = 0; index < 300; index++) io.answer(listener, endpoint, Buffer.from(`${index}`));
    await until(() => heard.length >= 256);
    io.flush();
    await until(() => heard.length === 300);
    expect(heard.map(({ text }) => Number(text))).toEqual(Array.from({ length: 300 }, (_, index) => index));
    expect(io.counters.answersDropped).toBe(0);
  });
});

describe('a listener', () => {
  test('a message that no slot holds never arrives cut off, and the next one does', async () => {
    const got: string[] = [];
    const { io } = start({ guestMessage: (_, __, message) => got.push(Buffer.from(message).toString()) });
    const listener = io.listen({ address: '127.0.0.1', port: 0 });
    const there = io.endpointOf(listener) ?? { address: '', port: 0 };
    const { socket } = await peer();
    await tell(socket, 'x'.repeat(slotOctets), there);
    await tell(socket, 'x'.repeat(slotOctets + 1), there);
    await tell(socket, 'after', there);
    await until(() => got.length === 2);
    expect(got.map(({ length }) => length)).toEqual([slotOctets, 5]);
    expect(io.counters.oversized).toBe(1);
    io.answer(listener, there, new Uint8Array(slotOctets + 1));
    expect(io.counters.oversized).toBe(2);
  });

  test('an address that is taken, or of no interface, is refused by name and leaves nothing', () => {
    const { io } = start({});
    const listener = io.listen({ address: '127.0.0.1', port: 0 });
    const { port = 0 } = io.endpointOf(listener) ?? {};
    const before = descriptors();
    expect(() => io.listen({ address: '127.0.0.1', port })).toThrow(coded('address-taken'));
    expect(() => io.listen({ address: '192.0.2.77', port: 5_353 })).toThrow(coded('no-such-address'));
    expect(() => io.listen({ address: 'localhost', port: 5_353 })).toThrow(coded('bad-address'));
    expect(descriptors()).toBe(before);
  });

  test('a listener that is closed answers nobody, whoever has its descriptor next', async () => {
    const { io } = start({});
    const { heard, endpoint } = await peer();
    const first = io.listen({ address: '127.0.0.1', port: 0 });
    io.unlisten(first);
    const second = io.listen({ address: '127.0.0.1', port: 0 });
    io.answer(first, endpoint, Buffer.from('of the one that is gone'));
    io.answer(second, endpoint, Buffer.from('of the one that stands'));
    io.flush();
    await until(() => heard.length > 0);
    expect(heard.map(({ text }) => text)).toEqual(['of the one that stands']);
    expect(io.counters.answersDropped).toBe(1);
  });
});

describe('the ports of the upstreams’ sockets', () => {
  test('ports are many, distinct, and spread over the range of the kernel', () => {
    const { io } = start({}, { socketsPerUpstream: 512 });
    io.setUpstreams([{ address: '127.0.0.1', port: 9 }]);
    const ports = io.portsOf(0);
    expect(new Set(ports).size).toBe(512);
    const sorted = [...ports].sort((a, b) => a - b);
    const [first = 0, last = 0] = [sorted[0], sorted.at(-1)];
    // 512 out of a range: each quarter has its share, and they are not handed out in order.
    expect(last - first).toBeGreaterThan(10_000);
    for (let quarter = 0; quarter < 4; quarter++) {
      const [from, to] = [quarter, quarter + 1].map((part) => first + ((last - first) * part) / 4);
      const inside = ports.filter((port) => port >= (from ?? 0) && port <= (to ?? 0)).length;
      expect(inside).toBeGreaterThan(60);
    }
    const steps = ports.slice(1).map((port, index) => port - (ports[index] ?? 0));
    expect(steps.filter((step) => Math.abs(step) <= 2).length).toBeLessThan(20);
  });

  test('a question goes out by a socket drawn at random, and the reply comes in by the same one', async () => {
    const got: { socket: number; from: DnsEndpoint; text: string }[] = [];
    const { io } = start({
      upstreamMessage: (socket, from, message) =>
        got.push({ socket, from, text: Buffer.from(message).toString() }),
    });
    const upstream = await peer();
    upstream.socket.on('message', (message, from) =>
      upstream.socket.send(`re: ${message}`, from.port, from.address),
    );
    io.setUpstreams([{ address: '127.0.0.1', port: 9 }, upstream.endpoint]);
    const asked = Array.from({ length: 200 }, (_, index) => {
      const socket = io.pickSocket(1) ?? -1;
      expect(io.ask(socket, Buffer.from(`${index}`))).toBe(true);
      return socket;
    });
    await until(() => got.length === asked.length);
    expect(new Set(asked).size).toBe(16);
    for (const { socket, from, text } of got) {
      expect(from).toMatchObject(upstream.endpoint);
      expect(socket).toBe(asked[Number(text.slice(4))]);
    }
  });

  test('a connected socket never hears anybody else', async () => {
    const got: string[] = [];
    const { io } = start({ upstreamMessage: (_, __, message) => got.push(Buffer.from(message).toString()) });
    const [upstream, forger] = [await peer(), await peer()];
    io.setUpstreams([upstream.endpoint]);
    for (const port of io.portsOf(0)) await tell(forger.socket, 'forged', { address: '127.0.0.1', port });
    for (const port of io.portsOf(0)) await tell(upstream.socket, 'real', { address: '127.0.0.1', port });
    await until(() => got.length === 16);
    expect(new Set(got)).toEqual(new Set(['real']));
  });

  test('a server that is not there ends nothing, and says so by ask or never', async () => {
    const { io } = start({ roundEnded: () => 1 });
    const [gone, there] = [await freeLoopbackEndpoint(), await peer()];
    io.setUpstreams([gone, there.endpoint]);
    for (let index = 0; index < 50; index++) {
      io.ask(io.pickSocket(0) ?? -1, Buffer.from('anybody?'));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(io.counters.upstreamErrors).toBeGreaterThan(0);
    expect(io.ask(io.pickSocket(1) ?? -1, Buffer.from('you?'))).toBe(true);
    await until(() => there.heard.length === 1);
  });
});

describe('the renewal of sockets', () => {
  test('sockets are renewed in turn while there is traffic, and an old one still receives', async () => {
    const got: number[] = [];
    const { io } = start(
      { roundEnded: () => 2, upstreamMessage: (socket) => got.push(socket) },
      { socketsPerUpstream: 2, renewEveryMs: 5, lingerMs: 60_000 },
    );
    const upstream = await peer();
    io.setUpstreams([upstream.endpoint]);
    const before = io.portsOf(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(io.portsOf(0)).toEqual(before);
    await until(() => {
      io.ask(io.pickSocket(0) ?? -1, Buffer.from('?'));
      return io.portsOf(0).every((port) => !before.includes(port));
    });
    got.length = 0;
    for (const port of before) await tell(upstream.socket, 'late', { address: '127.0.0.1', port });
    await until(() => got.length === 2);
  });

  test('a socket that was replaced is closed when every answer is overdue', async () => {
    const { io } = start({ roundEnded: () => 2 }, { socketsPerUpstream: 4, renewEveryMs: 1, lingerMs: 20 });
    const upstream = await peer();
    io.setUpstreams([upstream.endpoint]);
    const [open, before] = [descriptors(), io.portsOf(0)];
    await until(() => {
      io.ask(io.pickSocket(0) ?? -1, Buffer.from('?'));
      return io.portsOf(0).every((port) => !before.includes(port));
    });
    await until(() => descriptors() === open);
    io.setUpstreams([]);
    await until(() => descriptors() === open - 4);
    expect(io.pickSocket(0)).toBe(null);
  });

  test('a server without a route gives no socket, and says so', () => {
    const said: string[] = [];
    const { io } = start({}, { say: (sentence) => said.push(sentence) });
    io.setUpstreams([{ address: '255.255.255.255', port: 53 }]);
    expect(io.pickSocket(0)).toBe(null);
    expect(said).toEqual([expect.stringMatching(/^only 0 of 16 sockets to 255\.255\.255\.255 port 53/)]);
  });
});

describe('the wait', () => {
  test('ends by wake, and ends for good by close, which leaves no descriptor', async () => {
    const before = descriptors();
    const { io, ended } = start({});
    io.listen({ address: '127.0.0.1', port: 0 });
    io.listen({ address: '::1', port: 0 });
    io.setUpstreams([{ address: '127.0.0.1', port: 9 }]);
    expect(descriptors()).toBe(before + 2 + 2 + 16);
    await until(() => io.counters.rounds > 0);
    const { rounds } = io.counters;
    io.wake();
    await until(() => io.counters.rounds > rounds);
    io.close();
    await ended;
    io.close();
    io.wake();
    expect(descriptors()).toBe(before);
  });

  test('is no longer than the handler wants', async () => {
    let calls = 0;
    start({ roundEnded: () => (++calls < 5 ? 1 : Number.POSITIVE_INFINITY) });
    await until(() => calls === 5);
  });

  test('one that was never run is closed as well', () => {
    const before = descriptors();
    const io = new EpollIo({ wait: 'beside' });
    io.listen({ address: '127.0.0.1', port: 0 });
    io.close();
    expect(descriptors()).toBe(before);
  });

  test('an error of the handler ends it, and leaves no descriptor', async () => {
    const before = descriptors();
    const { ended } = start({
      roundEnded: () => {
        throw new Error('of the handler');
      },
    });
    await expect(ended).rejects.toThrow('of the handler');
    expect(descriptors()).toBe(before);
  });
});

test('a machine whose layout of epoll_event is not known is refused by name', () => {
  expect(epollEventLayout('linux', 'x64')).toEqual({ octets: 12, data: 4 });
  expect(epollEventLayout('linux', 'arm64')).toEqual({ octets: 16, data: 8 });
  expect(() => epollEventLayout('linux', 'riscv64')).toThrow(coded('unsupported-machine'));
  expect(() => epollEventLayout('darwin', 'arm64')).toThrow(coded('unsupported-machine'));
});
