/** Parts of the guest by themselves: generators, windows, the reaper, ports, links. */
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { maxChunksInFlight, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { lineOf } from './channel.ts';
import { ChunkQueue, ChunkWindow } from './chunk-window.ts';
import { Links, readPrefix } from './eth0.ts';
import { FakeKernel } from './fake-kernel.ts';
import { Generators, replaceMathRandom } from './generators.ts';
import { findPort, PortChannel } from './port-channel.ts';
import { Reaper } from './reaper.ts';

const folder = mkdtempSync(join(tmpdir(), 'guest-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('generators', () => {
  test('credit the whole seed, and wipe what was made for it', () => {
    const kernel = new FakeKernel();
    let given: Uint8Array = new Uint8Array();
    let seen = '';
    const ioctl = (_: number, __: number, argument: Uint8Array) => {
      given = argument;
      seen = Buffer.from(argument).toString('hex');
      return 0;
    };
    const generators = new Generators({ ...kernel.calls, ioctl });
    const octets = '5e'.repeat(32);
    expect(generators.call({ call: 'RNDADDENTROPY', entropyBits: 256, octets })).toEqual({
      call: 'RNDADDENTROPY',
      ret: 0,
      errno: null,
    });
    // int entropy_count, int buf_size, the octets.
    expect(seen).toBe(`0001000020000000${octets}`);
    expect(given.every((octet) => octet === 0)).toBe(true);
  });

  test('tell what a call returned as it is', () => {
    const kernel = new FakeKernel();
    kernel.failing.set('RNDRESEEDCRNG', 25);
    expect(new Generators(kernel.calls).call({ call: 'RNDRESEEDCRNG' })).toEqual({
      call: 'RNDRESEEDCRNG',
      ret: -1,
      errno: 'ENOTTY',
    });
  });

  test('give Math.random numbers from 0 to 1 that V8 did not make', () => {
    const before = Math.random;
    try {
      replaceMathRandom();
      const drawn = Array.from({ length: 1_000 }, () => Math.random());
      expect(Math.random.toString()).not.toContain('[native code]');
      expect(drawn.every((number) => number >= 0 && number < 1)).toBe(true);
      expect(new Set(drawn).size).toBe(drawn.length);
    } finally {
      Math.random = before;
    }
  });
});

/** Node's own cache of `randomInt`, by the method that reads it. */
function cacheOfRandomInt(): Uint8Array {
  const { readUIntBE } = Buffer.prototype;
  let cache: Uint8Array = new Uint8Array();
  Buffer.prototype.readUIntBE = function (this: Buffer, offset: number, octets: number): number {
    cache = this;
    return readUIntBE.call(this, offset, octets);
  };
  randomInt(2);
  Buffer.prototype.readUIntBE = readUIntBE;
  return cache;
}

test('what randomInt drew before a fork is never given out after it', () => {
  const generators = new Generators(new FakeKernel().calls);
  const some = () => Array.from({ length: 64 }, () => randomInt(2 ** 32));
  // Whatever lies there is what it gives: so would each of two forks.
  cacheOfRandomInt().fill(0);
  expect(new Set(some())).toEqual(new Set([0]));
  generators.renewThisProcess();
  expect(new Set(some()).size).toBeGreaterThan(32);
  expect(cacheOfRandomInt().every((octet) => octet === 0)).toBe(false);
});

describe('windows', () => {
  test('never let more chunks go than are acknowledged', async () => {
    const window = new ChunkWindow();
    for (let sent = 0; sent < maxChunksInFlight; sent++) expect(await window.room()).toBe(true);
    let isSent = false;
    const waiting = window.room().then((isFree) => {
      isSent = isFree;
    });
    await Promise.resolve();
    expect(isSent).toBe(false);
    expect(window.acknowledged(1)).toBe(true);
    await waiting;
    expect(isSent).toBe(true);
    expect(window.acknowledged(maxChunksInFlight + 1)).toBe(false);
  });

  test('end whoever waits when a request is given up', async () => {
    const window = new ChunkWindow();
    for (let sent = 0; sent < maxChunksInFlight; sent++) await window.room();
    const waiting = window.room();
    window.giveUp();
    expect(await waiting).toBe(false);
  });

  test('refuse the chunk that the host should not have sent, and take the others in order', async () => {
    const taken: number[] = [];
    const gate = Promise.withResolvers<void>();
    const queue = new ChunkQueue(() => undefined);
    const added = Array.from({ length: maxChunksInFlight + 1 }, (_, chunk) =>
      queue.add(
        async () => {
          await gate.promise;
          taken.push(chunk);
        },
        async () => undefined,
      ),
    );
    expect(added).toEqual([...Array(maxChunksInFlight).fill(true), false]);
    gate.resolve();
    await vi.waitFor(() =>
      expect(taken).toEqual(Array.from({ length: maxChunksInFlight }, (_, chunk) => chunk)),
    );
  });
});

describe('the reaper', () => {
  test('takes away what nobody waits for, and leaves to Node what is Node’s', async () => {
    const ended = [10, 11, 12];
    const reaped: number[] = [];
    const reaper = new Reaper({
      peekEnded: () => ended[0] ?? null,
      reap: (pid) => {
        ended.splice(ended.indexOf(pid), 1);
        reaped.push(pid);
      },
    });
    reaper.leave(11);
    reaper.ended(1);
    await vi.waitFor(() => expect(reaped).toEqual([10]));
    // Node has taken its own away.
    ended.splice(ended.indexOf(11), 1);
    reaper.ended(11);
    await vi.waitFor(() => expect(reaped).toEqual([10, 12]));
  });
});

describe('a port', () => {
  test('is found by its name, and missed by its name', () => {
    for (const [port, name] of [
      ['vport0p1', 'mitos.control'],
      ['vport0p2', 'mitos.services'],
    ] as const) {
      mkdirSync(`${folder}/ports/${port}`, { recursive: true });
      writeFileSync(`${folder}/ports/${port}/name`, `${name}\n`);
    }
    expect(findPort('mitos.services', `${folder}/ports`)).toBe('/dev/vport0p2');
    expect(() => findPort('mitos.other', `${folder}/ports`)).toThrow(
      expect.objectContaining({ code: 'no-guest-port' }),
    );
    expect(() => findPort('mitos.control', `${folder}/none`)).toThrow(
      expect.objectContaining({ code: 'no-guest-port' }),
    );
  });

  test('that gives 0 octets is read again, and half a line from before is dropped', async () => {
    const path = `${folder}/port`;
    writeFileSync(path, '');
    const heard: (string | null)[] = [];
    let gone = 0;
    const channel = new PortChannel(path);
    const served = channel.serve({
      line: (line) => void heard.push(line),
      disconnected: () => {
        gone += 1;
      },
    });
    appendFileSync(path, 'one\n{"half":');
    await vi.waitFor(() => expect(gone).toBe(1));
    appendFileSync(path, 'two\n');
    await vi.waitFor(() => expect(heard).toEqual(['one', 'two']));
    channel.close();
    await served;
  });

  test('that is held hears what another process writes, and whatever wakes the event loop has its turn', async () => {
    const path = `${folder}/held`;
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const heard: string[] = [];
    const channel = new PortChannel(path);
    const served = channel.serve({
      line: async (line, send) => {
        heard.push(String(line));
        if (line !== 'last') return;
        // Into what is read here too: it is dropped with the channel.
        await send({ ok: true });
        channel.close();
      },
      disconnected: () => undefined,
      isHeld: () => heard.length > 0,
    });
    const writer = spawn('sh', ['-c', 'echo first > "$0"; read line; echo "$line" > "$0"', path]);
    writer.stdin.on('error', () => undefined);
    const answer = spawn('sh', ['-c', 'sleep 0.2; echo last']);
    answer.stdout.on('data', (octets: Buffer) => {
      heard.push('a turn');
      writer.stdin.end(octets);
    });
    await served;
    expect(heard).toEqual(['first', 'a turn', 'last']);
  });

  test('takes answers, each on a line of its own', async () => {
    const path = `${folder}/answers`;
    writeFileSync(path, 'ask\n');
    const channel = new PortChannel(path);
    const served = channel.serve({
      line: async (line, send) => {
        if (line !== 'ask') return;
        await Promise.all([send({ ok: true }), send({ ok: false })]);
        channel.close();
      },
      disconnected: () => undefined,
    });
    await served;
    expect(readFileSync(path, 'utf8')).toBe('ask\n{"ok":true}\n{"ok":false}\n');
  });
});

describe('refusals by code', () => {
  test('an answer is never longer than a line', () => {
    expect(() => lineOf({ data: 'x'.repeat(maxLineOctets) })).toThrow(
      expect.objectContaining({ code: 'guest-line-too-long' }),
    );
  });

  test('a network needs an interface', () => {
    const links = new Links();
    const network = { address: '10.0.0.2/30', gateway: '10.0.0.1', resolvers: [] };
    expect(() => links.configure(network, 'none-such0')).toThrow(
      expect.objectContaining({ code: 'no-guest-interface' }),
    );
    links.close();
  });

  test('an agent that is not PID 1 refuses to start, and mounts nothing', () => {
    const main = fileURLToPath(new URL('../main/guest-agent.ts', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [main], { encoding: 'utf8', timeout: 30_000 });
    expect(status).toBe(2);
    expect(stderr).toContain(`[${'not-pid-1'}]`);
  });

  test.each(['10.0.0.2', '10.0.0.2/', '10.0.0.2/33', '10.0.0.256/8', 'fd00::1/129', '10.0.0.2/30/1'])(
    '%s is no prefix',
    (text) => expect(readPrefix(text)).toBeNull(),
  );
});
