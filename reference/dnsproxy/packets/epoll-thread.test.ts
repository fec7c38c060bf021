/** The fast adapter as it is meant to run: in a thread that waits in the kernel; and with few descriptors. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { wakeThrough } from './event-signal.ts';
import { freeLoopbackEndpoint, loopbackPeer } from './loopback-peer.ts';

const adapter = new URL('./epoll-io.ts', import.meta.url).href;

/** Echoes, counts turns of its own event loop, and ends by a message that arrives while it waits. */
const echo = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${JSON.stringify(adapter)}).then(async ({ EpollIo }) => {
    const io = new EpollIo();
    parentPort.on('message', () => { io.close(); parentPort.close(); });
    const listener = io.listen(workerData);
    parentPort.postMessage(io.wakeFd);
    await io.run({
      guestMessage: (_, client, message) => io.answer(listener, client, message),
      upstreamMessage() {},
      roundEnded() { io.flush(); return Infinity; },
    });
  });`;

test('a thread that waits in the kernel answers, and hears a message when it is woken', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const here = await freeLoopbackEndpoint();
  const peer = await loopbackPeer();
  const worker = new Worker(echo, { eval: true, workerData: here });
  const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  const wakeFd = await new Promise<number>((resolve) => worker.once('message', resolve));
  for (let index = 0; index < 20; index++) {
    peer.send(here, Uint8Array.of(index));
    expect((await peer.next()).message).toEqual(Uint8Array.of(index));
  }
  worker.postMessage('end');
  wakeThrough(wakeFd);
  expect(await ended).toBe(0);
  peer.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});

test('where few descriptors are allowed it opens fewer sockets, says so, and serves', () => {
  const program = `
    import { EpollIo } from ${JSON.stringify(adapter)};
    const said = [];
    const io = new EpollIo({ say: (sentence) => said.push(sentence) });
    io.setUpstreams([{ address: '127.0.0.1', port: 9 }, { address: '127.0.0.1', port: 10 }]);
    const ports = [io.portsOf(0).length, io.portsOf(1).length];
    console.log(JSON.stringify({ said, ports, asked: io.pickSocket(1) !== null }));
    io.close();`;
  const limited = [
    '-c',
    'ulimit -n 400 && exec "$0" "$@"',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
  ];
  const { stdout, stderr } = spawnSync('sh', limited, { encoding: 'utf8', timeout: 60_000 });
  expect(JSON.parse(stdout || `"${stderr}"`)).toEqual({
    said: [
      expect.stringMatching(/^only 50 of 512 sockets to 127\.0\.0\.1 port 9, .*RLIMIT_NOFILE \(400\)/),
      expect.stringMatching(/^only 50 of 512 sockets to 127\.0\.0\.1 port 10, /),
    ],
    ports: [50, 50],
    asked: true,
  });
});
