/** Where an agent is spoken to: how it is written, whose it is, and how Firecracker's and vsock's are opened. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { recv, send, socketPair } from '#reference/base/syscalls.ts';
import { endpointText, isOwn, parseEndpoint } from './endpoint.ts';
import { LineChannel } from './line-channel.ts';
import { openEndpoint } from './open-endpoint.ts';
import { Unreachable } from './unreachable.ts';
import { PolledStream } from './vsock-stream.ts';

const folder = makeLabFolder('endpoint');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => removeLabFolder(folder));

const parse = (text: string) => parseEndpoint('--agent', text, 1024);

describe('an endpoint', () => {
  test.each([
    ['unix:/run/a.sock', 'unix:/run/a.sock'],
    ['/run/a:7.sock', 'unix:/run/a:7.sock'],
    ['fc:/run/v.sock', 'fc:/run/v.sock:1024'],
    ['fc:/run/v.sock:52', 'fc:/run/v.sock:52'],
    ['vsock:3', 'vsock:3:1024'],
    ['vsock:3:9', 'vsock:3:9'],
  ])('%s is %s', (text, said) => {
    expect(endpointText(parse(text))).toBe(said);
  });

  test.each([
    '',
    'a.sock',
    'unix:',
    'unix:a',
    'tcp:127.0.0.1:1',
    'vsock:x',
    'vsock:4294967295',
    'fc:3',
    `/${'x'.repeat(107)}`,
  ])('%s is refused with how it is written', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'bad-guest-flag' }));
  });

  test('is one’s own when its socket is, or is this machine', () => {
    const path = join(folder, 'own');
    writeFileSync(path, '');
    expect(isOwn(parse(path))).toBe(true);
    expect(isOwn(parse(`fc:${path}`), (process.geteuid?.() ?? 0) + 1)).toBe(false);
    expect(isOwn(parse('vsock:1:1024'))).toBe(true);
    expect(isOwn(parse('vsock:3:1024'))).toBe(false);
  });
});

/** Answers a first line; what comes behind the greeting is echoed. */
async function firecracker(path: string, greeting: string | null): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (octets) => {
      if (greeting === null) return void socket.destroy();
      socket.write(greeting.replace('?', String(octets).trim()));
      socket.on('data', (more) => socket.write(more));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

describe('Firecracker’s socket', () => {
  test('is greeted with the port, and what comes behind the OK is the guest’s', async () => {
    const path = join(folder, 'fc');
    await firecracker(path, 'OK 1073741824\nunasked\n');
    const channel = new LineChannel(await openEndpoint({ kind: 'fc', path, port: 1024 }, 2_000));
    expect(await channel.next(2_000)).toMatchObject({ fate: 'line', line: 'unasked' });
    expect(await channel.ask('ping\n', 2_000)).toMatchObject({ fate: 'line', line: 'ping' });
    channel.close();
  });

  test.each([
    ['closes', null, 'nobody listens on that port'],
    ['answers otherwise', '? is unknown\n', 'no OK to CONNECT but'],
    ['answers without end', 'x'.repeat(100), 'no OK to CONNECT but'],
    ['is silent', '', 'no OK to CONNECT within 200 ms'],
  ])('that %s is told as that', async (name, greeting, said) => {
    const path = join(folder, `fc-${name}`);
    await firecracker(path, greeting);
    const opening = openEndpoint({ kind: 'fc', path, port: 1024 }, 200);
    await expect(opening).rejects.toThrow(Unreachable);
    await expect(opening).rejects.toThrow(said);
  });
});

describe('a vsock', () => {
  test('that is not there is told with what to do', async () => {
    const opening = openEndpoint({ kind: 'vsock', cid: 4_000_000_000, port: 1024 }, 200);
    await expect(opening).rejects.toMatchObject({ name: 'Unreachable', give: expect.stringMatching(/.+/) });
  });

  test('carries more than the kernel holds, in both directions, and tells its end', async () => {
    const [near, far] = socketPair();
    const stream = new PolledStream(near);
    const other = new PolledStream(far);
    const octets = Buffer.alloc(1 << 20, 'octets ');
    const heard: Buffer[] = [];
    const ended = new Promise<void>((resolve) => other.once('end', resolve));
    other.on('data', (chunk: Buffer) => heard.push(chunk));
    await new Promise<void>((resolve, reject) => {
      stream.write(octets, (error) => (error ? reject(error) : resolve()));
    });
    const answer = new Promise<Buffer>((resolve) => stream.once('data', resolve));
    other.write('answer');
    expect(String(await answer)).toBe('answer');
    stream.destroy();
    await ended;
    expect(Buffer.concat(heard).equals(octets)).toBe(true);
    other.destroy();
  });

  test('whose other end is gone ends with an error, and not the process', async () => {
    const [near, far] = socketPair();
    const stream = new PolledStream(near);
    send(far, Buffer.from('x'));
    expect(recv(near, Buffer.alloc(1))).toBe(1);
    const other = new PolledStream(far);
    other.destroy();
    await new Promise((resolve) => other.once('close', resolve));
    const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
    stream.write('to nobody');
    expect(await failed).toMatchObject({ code: 'EPIPE' });
  });
});
