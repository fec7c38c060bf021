/** TCP, as a guest that means no good uses it, and a server that says nothing: bounded, and nobody else pays. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { freeLoopbackEndpoint } from '../packets/loopback-peer.ts';
import { NodeStreams } from './node-streams.ts';
import { framed, StreamFrames } from './stream-frames.ts';
import type { StreamLimits } from './stream-listener.ts';

const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

interface Ground {
  readonly streams: NodeStreams;
  readonly endpoint: DnsEndpoint;
  /** Connections of the messages that were heard and not answered, in order. */
  readonly waiting: number[];
  readonly heard: Uint8Array[];
}

async function ground(limits: Partial<StreamLimits> = {}): Promise<Ground> {
  const streams = new NodeStreams(limits);
  const [waiting, heard]: [number[], Uint8Array[]] = [[], []];
  streams.handler = {
    guestStream: (_, connection, __, message) => {
      waiting.push(connection);
      heard.push(message);
    },
    upstreamStream: () => undefined,
  };
  const endpoint = await freeLoopbackEndpoint();
  await streams.listen('tap0', [endpoint]);
  open.push(() => streams.close());
  return { streams, endpoint, waiting, heard };
}

async function guest({ address, port }: DnsEndpoint): Promise<Socket> {
  const socket = connect(port, address);
  // A reset is an end like any other.
  socket.on('error', () => socket.destroy());
  open.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.resume();
  return socket;
}

/** However it ends: `once` would take a reset for a failure. */
function ended(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const octets = (...values: number[]) => Uint8Array.from(values);

describe('a stream of messages', () => {
  test('is always read alike, however it is cut', () => {
    const messages = [
      octets(1),
      octets(),
      Uint8Array.from({ length: 300 }, (_, at) => at & 255),
      octets(9, 9),
    ];
    const whole = Buffer.concat(messages.map(framed));
    for (let size = 1; size <= whole.length; size++) {
      const frames = new StreamFrames();
      const read: Uint8Array[] = [];
      for (let at = 0; at < whole.length; at += size)
        read.push(...(frames.push(whole.subarray(at, at + size)) ?? []));
      expect(read).toEqual(messages);
      expect(frames.isPartial).toBe(false);
    }
  });

  test('never waits for a message that is longer than it may be', () => {
    expect(new StreamFrames(10).push(framed(new Uint8Array(10)))).toHaveLength(1);
    expect(new StreamFrames(10).push(octets(0, 11))).toBeNull();
  });
});

describe('a connection of a guest', () => {
  test('that sends a message by drops is closed in time, and one that asks is not', async () => {
    const { endpoint, heard, streams, waiting } = await ground({ messageMs: 60, idleMs: 60_000 });
    const [slow, honest] = [await guest(endpoint), await guest(endpoint)];
    const drops = setInterval(() => slow.write(octets(1)), 10);
    slow.write(octets(0x0f, 0xff));
    await ended(slow);
    clearInterval(drops);
    honest.write(framed(octets(7)));
    await until(() => heard.length === 1);
    streams.answer(waiting[0] as number, octets(8));
    const [answer] = (await once(honest, 'data')) as [Buffer];
    expect([...answer]).toEqual([0, 1, 8]);
  });

  test('that is idle, or lasts too long, is closed', async () => {
    const idle = await ground({ idleMs: 20 });
    await ended(await guest(idle.endpoint));
    const long = await ground({ totalMs: 20, idleMs: 60_000 });
    await ended(await guest(long.endpoint));
    await until(() => idle.streams.connections + long.streams.connections === 0);
  });

  test('is not served more at once than its share; the rest waits in its socket', async () => {
    const { endpoint, heard, waiting, streams } = await ground({ maxPipelined: 2 });
    const socket = await guest(endpoint);
    for (let index = 0; index < 6; index++) socket.write(framed(octets(index)));
    await until(() => heard.length === 2);
    streams.answer(waiting.shift() as number, null);
    await until(() => heard.length === 3);
    for (let left = 0; left < 5; left++) {
      await until(() => waiting.length > 0);
      streams.answer(waiting.shift() as number, octets(1));
    }
    await until(() => heard.length === 6);
    expect(heard.map(([first]) => first)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('beyond the bound of a client is refused, and another client is not', async () => {
    const { endpoint, streams } = await ground({ maxConnectionsPerClient: 2 });
    await guest(endpoint);
    await guest(endpoint);
    await until(() => streams.connections === 2);
    await ended(await guest(endpoint));
    const other = connect({ host: endpoint.address, port: endpoint.port, localAddress: '127.0.0.9' });
    open.push(() => other.destroy());
    await until(() => streams.connections === 3);
  });
});

describe('a connection that costs more than it may', () => {
  test('that asks too much at once in one message, or takes no answers, is closed', async () => {
    const { endpoint, heard, streams, waiting } = await ground({
      maxQuestionOctets: 20,
      maxUnsentOctets: 1_000,
    });
    const long = await guest(endpoint);
    long.write(framed(new Uint8Array(21)));
    await ended(long);
    expect(heard).toEqual([]);
    await until(() => streams.connections === 0);
    const deaf = await guest(endpoint);
    await until(() => streams.connections === 1);
    deaf.pause();
    const closed = ended(deaf);
    deaf.write(Buffer.concat(Array.from({ length: 2_000 }, () => framed(octets(1)))));
    await until(() => {
      for (const connection of waiting.splice(0)) streams.answer(connection, new Uint8Array(65_000));
      return streams.connections === 0;
    });
    deaf.resume();
    await closed;
  });

  test('ends with its sandbox; when the proxy drains it is answered first', async () => {
    const gone = await ground();
    const cut = await guest(gone.endpoint);
    await until(() => gone.streams.connections === 1);
    gone.streams.unlisten('tap0');
    await ended(cut);

    const { endpoint, streams, waiting } = await ground();
    const socket = await guest(endpoint);
    socket.write(framed(octets(1)));
    await until(() => waiting.length === 1);
    streams.drain();
    streams.answer(waiting[0] as number, octets(2));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect([...answer]).toEqual([0, 1, 2]);
    await once(socket, 'end');
  });
});

describe('a question upstream over TCP', () => {
  async function asks(
    serve: (socket: Socket) => void,
    limits: Partial<StreamLimits> = {},
  ): Promise<Uint8Array | null> {
    const server = createServer(serve).listen(0, '127.0.0.1');
    open.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const streams = new NodeStreams({ upstreamMs: 100, ...limits });
    return new Promise((resolve) => {
      streams.handler = { guestStream: () => undefined, upstreamStream: (_, reply) => resolve(reply) };
      streams.ask({ address: '127.0.0.1', port }, octets(5), 1);
    });
  }

  test('always ends once: with the reply, or without when there is none in time', async () => {
    expect(await asks((socket) => socket.on('data', () => socket.write(framed(octets(6)))))).toEqual(
      octets(6),
    );
    expect(await asks((socket) => void socket.resume())).toBeNull();
    expect(await asks((socket) => void socket.end(octets(0, 9, 1)))).toBeNull();
    expect(await asks((socket) => void socket.destroy())).toBeNull();
    expect(await asks(() => undefined, { maxUpstreamConnections: 0 })).toBeNull();
  });
});
