/**
 * A channel to a guest over a socket as Firecracker's vsock has one: late listeners, greetings that are none, and every
 * way to end. Each wait is bounded, and no test leaves a connection, a timer or a descriptor.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { refusalOf, within } from '../contract-talk.ts';
import { GuestChannel } from './guest-channel.ts';

const port = 1024;
const deadlineMs = 30_000;
const shortMs = 300;

let folder: string;
let path: string;
let server: Server | null;
let channel: GuestChannel;
const sockets = new Set<Socket>();
const descriptors = () => readdirSync('/proc/self/fd').length;
let before: number;

beforeEach(() => {
  before = descriptors();
  folder = mkdtempSync(join(tmpdir(), 'vsock-'));
  path = join(folder, 'vsock');
  server = null;
  channel = new GuestChannel();
});

afterEach(async () => {
  channel.close();
  await expect.poll(() => sockets.size).toBe(0);
  const closing = server;
  if (closing !== null) {
    await within(
      new Promise<void>((resolve) => closing.close(() => resolve())),
      'the end of the server',
      deadlineMs,
    );
  }
  rmSync(folder, { recursive: true });
  await expect.poll(descriptors).toBe(before);
});

/** Says what `answer` does of each line `CONNECT`. */
async function listen(answer: (socket: Socket, line: string) => void): Promise<void> {
  const made = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.once('data', (octets: Buffer) => answer(socket, octets.toString()));
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(path, resolve));
}

/** What the host reads until the end. */
async function heard(): Promise<string> {
  let text = '';
  for await (const octets of channel.stream) text += octets;
  return text;
}

const closed = () =>
  within(
    new Promise<void>((resolve) =>
      channel.stream.destroyed ? resolve() : channel.stream.once('close', () => resolve()),
    ),
    'the end of the channel',
    deadlineMs,
  );

test('waits for a socket that is made late and for a guest that listens late, and what was written waits too', async () => {
  channel.stream.write('first\n');
  const connecting = channel.connect(path, port, deadlineMs);
  let asked = 0;
  await new Promise((resolve) => setTimeout(resolve, 20));
  const said: string[] = [];
  await listen((socket, line) => {
    said.push(line);
    // Firecracker closes the connection while nobody listens in the guest.
    if (++asked < 4) {
      socket.destroy();
      return;
    }
    socket.on('data', (octets: Buffer) => said.push(octets.toString()));
    socket.write('OK 1073741824\n');
  });
  await within(connecting, 'the connection', deadlineMs);
  await expect.poll(() => said).toEqual([...Array(4).fill('CONNECT 1024\n'), 'first\n']);
});

test('never loses what comes right behind the greeting, in however many pieces it comes', async () => {
  const pieces = ['O', 'K 10737', '41824\nhel', 'lo\n'];
  await listen((socket) => {
    const next = () => {
      const piece = pieces.shift();
      if (piece === undefined) socket.end();
      else socket.write(piece, () => setTimeout(next, 5));
    };
    next();
  });
  await channel.connect(path, port, deadlineMs);
  expect(await within(heard(), 'what the guest said', deadlineMs)).toBe('hello\n');
});

test('in one piece with the greeting and the end, all of it is read', async () => {
  await listen((socket) => socket.end('OK 1\none\ntwo\n'));
  await channel.connect(path, port, deadlineMs);
  expect(await within(heard(), 'what the guest said', deadlineMs)).toBe('one\ntwo\n');
  await closed();
});

test.each([
  ['none', 'OK\n'],
  ['of another word', 'NO 1024\n'],
  ['with a sign', 'OK -1\n'],
  ['with more behind it', 'OK 1 2\n'],
  ['of eleven digits', 'OK 10737418240\n'],
  ['empty', '\n'],
  ['without an end', 'x'.repeat(4_096)],
  ['half', 'OK 1'],
])('a greeting that is %s lets nobody in, and nothing of it reaches the host', async (_what, greeting) => {
  let connections = 0;
  await listen((socket) => {
    connections++;
    socket.write(greeting);
  });
  const reading = heard().catch(() => '');
  const refusal = await refusalOf(channel.connect(path, port, shortMs));
  expect(refusal).toEqual({
    code: 'vmm-failed',
    message: 'the guest does not listen on vsock port 1024',
  });
  expect(connections).toBeGreaterThan(0);
  channel.close();
  expect(await within(reading, 'the end of the stream', deadlineMs)).toBe('');
});

test('a guest that ends its side ends the channel, and the connection with it', async () => {
  await listen((socket) => socket.write('OK 1\nlast\n', () => setTimeout(() => socket.end(), 5)));
  await channel.connect(path, port, deadlineMs);
  expect(await within(heard(), 'what the guest said', deadlineMs)).toBe('last\n');
  await closed();
  await expect.poll(() => sockets.size).toBe(0);
});

test('a connection that is reset ends the channel', async () => {
  let guest: Socket | undefined;
  await listen((socket) => {
    guest = socket.pause();
    socket.write('OK 1\n');
  });
  await channel.connect(path, port, deadlineMs);
  channel.stream.resume().write('what nobody reads');
  // The kernel resets a connection that is closed before all was read.
  setTimeout(() => guest?.destroy(), 20);
  await closed();
});

test('closed while it waits for a socket, for a greeting, or connected: it is over at once', async () => {
  const waiting = channel.connect(path, port, deadlineMs);
  channel.close();
  expect(await within(refusalOf(waiting), 'the refusal')).toEqual({
    code: 'vmm-failed',
    message: 'the channel is closed',
  });

  channel = new GuestChannel();
  const greeted = Promise.withResolvers<void>();
  await listen(() => greeted.resolve());
  const silent = channel.connect(path, port, deadlineMs);
  await within(greeted.promise, 'the request', deadlineMs);
  channel.close();
  expect((await within(refusalOf(silent), 'the refusal')).message).toBe('the channel is closed');
  await expect.poll(() => sockets.size).toBe(0);
  expect((await refusalOf(channel.connect(path, port, deadlineMs))).message).toBe('the channel is closed');
  expect(channel.stream.destroyed).toBe(true);
});

test('a host that does not read is not read ahead of without bound', async () => {
  let sent = 0;
  const flood = 8 << 20;
  await listen((socket) => {
    socket.write('OK 1\n');
    const more = () => {
      while (sent < flood) {
        sent += 65_536;
        if (!socket.write(Buffer.alloc(65_536))) {
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  });
  await channel.connect(path, port, deadlineMs);
  let last = -1;
  await expect
    .poll(
      () => {
        const isStill = sent === last;
        last = sent;
        return isStill;
      },
      { interval: 100 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(2 << 20);
});
