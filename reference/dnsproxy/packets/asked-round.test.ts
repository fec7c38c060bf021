/** What becomes of questions that are asked within one round of the fast adapter: they leave together. */
import { afterEach, expect, test } from 'vitest';
import { EpollIo, type EpollIoOptions } from './epoll-io.ts';
import { freeLoopbackEndpoint, loopbackPeer } from './loopback-peer.ts';
import type { PacketPeer } from './packet-io-contract.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function peer(): Promise<PacketPeer> {
  const made = await loopbackPeer();
  opened.push(() => made.close());
  return made;
}

/** One that runs; `inRound` calls within the round of a message that it sends. */
async function running(
  options: Partial<EpollIoOptions>,
  notSent: (io: EpollIo, socket: number, text: string) => void = () => undefined,
) {
  const io = new EpollIo({ wait: 'beside', ...options });
  let act = (): void => undefined;
  const ended = io.run({
    guestMessage: () => act(),
    upstreamMessage: () => undefined,
    notSent: (socket, message) => notSent(io, socket, Buffer.from(message).toString()),
    roundEnded: () => Number.POSITIVE_INFINITY,
  });
  opened.push(() => {
    io.close();
    return ended;
  });
  const guest = await peer();
  const here = io.endpointOf(io.listen({ address: '127.0.0.1', port: 0 }));
  const inRound = (acting: () => void) =>
    new Promise<void>((resolve) => {
      act = () => {
        acting();
        resolve();
      };
      guest.send(here ?? guest.endpoint, Buffer.from('begin'));
    });
  return { io, inRound };
}

const asks = (io: EpollIo, socket: number | null, text: string) => io.ask(socket ?? -1, Buffer.from(text));

async function heardBy({ next }: PacketPeer): Promise<{ text: string; port: number }> {
  const { from, message } = await next();
  return { text: Buffer.from(message).toString(), port: from.port };
}

test('all leave, more than are kept as well, each by the socket that was drawn, with the octets of then', async () => {
  const { io, inRound } = await running({ socketsPerUpstream: 64 });
  const upstream = await peer();
  io.setUpstreams([upstream.endpoint]);
  const sockets: number[] = [];
  const textOf = (index: number) => `${index} ${'x'.repeat(600)}`;
  await inRound(() => {
    const buffer = Buffer.alloc(1_024);
    for (let index = 0; index < 300; index++) {
      const socket = io.pickSocket(0) ?? -1;
      sockets.push(socket);
      expect(io.ask(socket, buffer.subarray(0, buffer.write(textOf(index))))).toBe(true);
    }
    buffer.fill(0);
  });
  const portOf = new Map<number, number>();
  for (const [index, socket] of sockets.entries()) {
    const { text, port } = await heardBy(upstream);
    expect(text).toBe(textOf(index));
    expect(portOf.get(socket) ?? port).toBe(port);
    portOf.set(socket, port);
  }
  expect(new Set(portOf.values()).size).toBe(portOf.size);
});

test('one that the kernel refuses is told after the call, and what is asked in its place leaves', async () => {
  const told: [socket: number, text: string, withinAsk: boolean][] = [];
  let isAsking = false;
  const { io, inRound } = await running({ socketsPerUpstream: 1 }, (own, socket, text) => {
    told.push([socket, text, isAsking]);
    expect(asks(own, own.pickSocket(1), 'instead')).toBe(true);
  });
  const [gone, there] = [await freeLoopbackEndpoint(), await peer()];
  io.setUpstreams([gone, there.endpoint]);
  const socket = io.pickSocket(0) ?? -1;
  // Of the first one the kernel learns that nobody is there, of the second it says so.
  await inRound(() => {
    isAsking = true;
    expect(['one', 'two'].map((text) => asks(io, socket, text))).toEqual([true, true]);
    isAsking = false;
  });
  expect((await heardBy(there)).text).toBe('instead');
  expect(told).toEqual([[socket, 'two', false]]);
});

test('none leaves by the descriptor of a socket that was closed before', async () => {
  const { io, inRound } = await running({ socketsPerUpstream: 1 });
  const [first, second, third] = [await peer(), await peer(), await peer()];
  io.setUpstreams([first.endpoint]);
  const socket = io.pickSocket(0);
  await inRound(() => {
    asks(io, socket, 'for the first');
    // More than may linger: its socket is closed, and the descriptor is given to another.
    for (let change = 0; change < 70; change++) {
      io.setUpstreams([second.endpoint]);
      io.setUpstreams([third.endpoint]);
    }
  });
  asks(io, io.pickSocket(0), 'for the third');
  expect((await heardBy(third)).text).toBe('for the third');
  expect((await heardBy(first)).text).toBe('for the first');
  io.setUpstreams([second.endpoint]);
  asks(io, io.pickSocket(0), 'for the second');
  expect((await heardBy(second)).text).toBe('for the second');
});
