/**
 * The DNS proxy's process beside a datapath, on this kernel: pins in the sandbox's own sets before the answer, none
 * after a change, a detach or a kill -9. Needs: tun.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import { Datapath } from '../datapath/datapath.ts';
import { layGround } from '../datapath/kernel-ground.ts';
import { KernelPins } from '../datapath/kernel-pins.ts';
import { contractPod, sampleNetwork } from '../decisions/ruleset/ruleset-samples.ts';
import type { ControlLine } from './control-lines.ts';
import { policy } from './core/core-stage.ts';
import { loopbackPeer } from './packets/loopback-peer.ts';
import type { PacketPeer } from './packets/packet-io-contract.ts';
import { a, question, readAnswer, reply } from './sample-messages.ts';
import { framed, StreamFrames } from './streams/stream-frames.ts';
import { type UpstreamStub, upstreamStub } from './upstream-stub.ts';

const main = fileURLToPath(new URL('../main/dnsproxy.ts', import.meta.url));
const networks = [sampleNetwork(0), sampleNetwork(1)];
const [one, two] = networks.map(({ tap }) => tap) as [string, string];
const resolverOf = (tap: string) => ({ address: tap === one ? '127.0.0.11' : '127.0.0.12', port: 53 });
const own = { ...policy, ipv6: false };

let datapath: Datapath;
let pins: KernelPins;
let upstream: UpstreamStub;
let guest: PacketPeer;
const fds: number[] = [];
const children: ChildProcess[] = [];

/** The process, under control by lines. */
class ProxyProcess {
  readonly child: ChildProcess;
  readonly #waiting = new Map<unknown, (answer: { ok: boolean; error?: { code: string } }) => void>();
  #nextId = 1;
  stderr = '';

  constructor(io: 'epoll' | 'dgram', servers?: readonly string[]) {
    const { address, port } = upstream.endpoint;
    const flags = servers ?? ['--upstream', `${address}:${port}`];
    this.child = spawn(process.execPath, [main, '--io', io, '--control', ...flags], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.push(this.child);
    this.child.stderr?.on('data', (text) => {
      this.stderr += text;
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const answer = JSON.parse(line) as { id: unknown; ok: boolean; error?: { code: string } };
      this.#waiting.get(answer.id)?.(answer);
    });
  }

  /** `ok`, or the error's code. */
  async say(line: Omit<ControlLine, 'id'>): Promise<string> {
    const id = this.#nextId++;
    const answered = new Promise<{ ok: boolean; error?: { code: string } }>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${this.stderr}`)));
    });
    this.child.stdin?.write(`${JSON.stringify({ id, ...line })}\n`);
    const { ok, error } = await answered;
    return ok ? 'ok' : (error?.code ?? 'internal');
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    const [code] = await exited;
    return code as number | null;
  }
}

const attach = (tap: string) => ({ attach: { tap, listen: [resolverOf(tap)], policy: own } });
const standing = () =>
  pins
    .read()
    .map(({ tap, address, port }) => `${tap} ${address} ${port}`)
    .sort();

async function ask(tap: string, name = 'example.com') {
  guest.send(resolverOf(tap), question(name));
  const { message } = await guest.next();
  return readAnswer(message);
}

beforeAll(async () => {
  layGround();
  upstream = await upstreamStub((query, transport) => {
    const isBig = Buffer.from(query).toString('latin1').toLowerCase().includes('big');
    if (isBig && transport === 'udp') return reply(query, [], { flags: 0x8380 });
    return reply(query, [a('93.184.215.14', 60)]);
  });
  guest = await loopbackPeer();
  pins = new KernelPins();
});

beforeEach(() => {
  datapath = new Datapath(contractPod);
  for (const network of networks) {
    fds.push(datapath.open(network, { egress: 'deny', allow: own.allow, inbound: [] }).fd);
  }
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  datapath.shutDown();
  for (const fd of fds.splice(0)) close(fd);
});

afterAll(async () => {
  pins.close();
  guest.close();
  await upstream.close();
});

describe.each(['epoll', 'dgram'] as const)('the process on %s', (io) => {
  test('pins in the sets of the sandbox that asked, before the answer; takes back, and leaves none', async () => {
    const proxy = new ProxyProcess(io);
    expect(await proxy.say(attach('nobody'))).toBe('no-sandbox');
    expect(await proxy.say(attach(one))).toBe('ok');
    expect(await proxy.say(attach(two))).toBe('ok');
    const answer = await ask(one);
    // Read at once: the answer is here, so the pins are there.
    expect(standing()).toEqual([`${one} 93.184.215.14 443`, `${one} 93.184.215.14 53`]);
    expect(answer.addresses).toEqual(['93.184.215.14']);
    for (const { remainingMs } of pins.read()) {
      expect(remainingMs).toBeGreaterThan(1_000 * (answer.ttls[0] ?? 0) - 1_000);
    }
    await ask(two, 'n.wild.test');
    expect(standing()).toHaveLength(3);
    expect(
      await proxy.say({ change: { tap: one, policy: { ...own, allow: ['udp://example.com:53'] } } }),
    ).toBe('ok');
    expect(standing()).toEqual([`${one} 93.184.215.14 53`, `${two} 93.184.215.14 80`]);
    expect(await proxy.say({ detach: { tap: one } })).toBe('ok');
    expect(standing()).toEqual([`${two} 93.184.215.14 80`]);
    expect(await proxy.end('SIGTERM')).toBe(0);
  });

  test('asks over TCP what was truncated, and answers over TCP who asks so', async () => {
    const proxy = new ProxyProcess(io);
    expect(await proxy.say(attach(one))).toBe('ok');
    expect(await ask(one, 'big.wild.test')).toMatchObject({ rcode: 0, addresses: ['93.184.215.14'] });
    expect(upstream.heard.at(-1)?.transport).toBe('tcp');
    const { address, port } = resolverOf(one);
    const socket = connect(port, address, () => socket.write(framed(question('example.com', { id: 5 }))));
    const [octets] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const [message = new Uint8Array(0)] = new StreamFrames().push(octets) ?? [];
    expect(readAnswer(message)).toMatchObject({ id: 5, rcode: 0, addresses: ['93.184.215.14'] });
    expect(standing()).toHaveLength(3);
  });

  test('whose sandbox is gone from the datapath pins nothing, and its neighbour is served', async () => {
    const proxy = new ProxyProcess(io);
    await proxy.say(attach(one));
    await proxy.say(attach(two));
    datapath.close(one);
    expect(await ask(one)).toMatchObject({ rcode: 2, addresses: [] });
    expect(await ask(two)).toMatchObject({ rcode: 0 });
    expect(await proxy.say({ detach: { tap: one } })).toBe('ok');
  });

  test('that was killed leaves pins which the next one takes back before it serves', async () => {
    const killed = new ProxyProcess(io);
    await killed.say(attach(one));
    await ask(one);
    await killed.end('SIGKILL');
    expect(standing()).toHaveLength(2);
    const next = new ProxyProcess(io);
    // Of a tap that it was not told of as well.
    expect(await next.say(attach(two))).toBe('ok');
    expect(standing()).toEqual([]);
    expect(await next.say(attach(one))).toBe('ok');
    expect(await ask(one)).toMatchObject({ rcode: 0 });
    expect(standing()).toHaveLength(2);
  });
});

describe('the process while it runs', () => {
  test('reads its servers again on SIGHUP, keeps them when there is none, and serves metrics', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'resolv-'));
    const file = join(folder, 'resolv.conf');
    const stubs = await Promise.all(
      ['127.0.0.53', '127.0.0.54'].map((address) =>
        upstreamStub((query) => reply(query, [a('93.184.215.14')]), address, 53),
      ),
    );
    writeFileSync(file, 'nameserver 127.0.0.53\n');
    const proxy = new ProxyProcess('epoll', [
      '--resolv-conf',
      file,
      '--metrics',
      '127.0.0.1:9153',
      '--cache',
      '0',
    ]);
    await proxy.say(attach(one));
    const rereads = async (text: string, said: string) => {
      writeFileSync(file, text);
      proxy.stderr = '';
      proxy.child.kill('SIGHUP');
      while (!proxy.stderr.includes(said)) await new Promise((resolve) => setTimeout(resolve, 5));
      await ask(one);
      return stubs.map(({ heard }) => heard.length);
    };
    await ask(one);
    expect(stubs.map(({ heard }) => heard.length)).toEqual([1, 0]);
    expect(await rereads('nameserver 127.0.0.54\n', 'read again')).toEqual([1, 1]);
    expect(await rereads('search a.test\n', 'stay as they were')).toEqual([1, 2]);
    const answer = await fetch('http://127.0.0.1:9153/metrics');
    expect(await answer.text()).toContain('huskproof_dns_queries_total{rule="allowlisted"} 3');
    expect((await fetch('http://127.0.0.1:9153/')).status).toBe(404);
    expect(await proxy.end('SIGTERM')).toBe(0);
    for (const stub of stubs) await stub.close();
    rmSync(folder, { recursive: true });
  });
});

describe('the process', () => {
  const runs = (...flags: string[]) => spawnSync(process.execPath, [main, ...flags], { encoding: 'utf8' });

  test('explains itself', () => {
    const { status, stdout } = runs('--help');
    expect([status, stdout.includes('Examples:')]).toEqual([0, true]);
  });

  test.each<[string, string[]]>([
    ['bad-flag', ['--upstream', '192.0.2.1']],
    ['bad-flag', ['--io', 'magic']],
    ['bad-flag', ['--nonsense']],
    ['bad-flag', ['--cache', '-1']],
    ['no-upstream', ['--resolv-conf', '/dev/null', '--control']],
    ['no-namespace', ['--netns', '/dev/null', '--upstream', '192.0.2.1', '--control']],
    [
      'address-taken',
      ['--upstream', '192.0.2.1', '--tap', one, '--listen', '127.0.0.13', '--allow', 'a.test:1'],
    ],
    [
      'bad-allow-entry',
      ['--upstream', '192.0.2.1', '--tap', one, '--listen', '127.0.0.11', '--allow', 'a.test:0'],
    ],
    [
      'no-sandbox',
      ['--upstream', '192.0.2.1', '--tap', 'tap77', '--listen', '127.0.0.11', '--allow', 'a.test:1'],
    ],
  ])('never starts half-way: %s %j', async (code, flags) => {
    const taken = await loopbackPeer('127.0.0.13', 53);
    const { status, stderr } = runs('--log-level', 'error', ...flags);
    taken.close();
    expect(stderr).toContain(`[${code}]`);
    expect(status).toBe(2);
  });

  test('says by name that it lacks NET_ADMIN', () => {
    const flags = ['--upstream', '192.0.2.1', '--control'];
    const without = ['--bounding-set=-net_admin', '--inh-caps=-all', process.execPath, main, ...flags];
    const { status, stderr } = spawnSync('setpriv', without, { encoding: 'utf8', input: '' });
    expect(stderr).toContain('no-net-admin');
    expect(status).toBe(2);
  });
});
