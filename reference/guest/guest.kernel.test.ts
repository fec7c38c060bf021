/**
 * The agent for real on this kernel, in PID, mount, UTS, network and cgroup namespaces of its own: the real generator,
 * the real freezer, real programs. What it credits is fresh, and the clock is not stepped: the host's time is told.
 * Needs: root (the generator's ioctls, cgroups).
 */
import { hash, randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxChunksInFlight, maxLineOctets, maxServicesInFlight } from '#reference/contract/guest-protocol.ts';
import { proofOf } from '../decisions/reseed-proof.ts';
import { AgentInNamespaces, type HostEnd } from './agent-in-namespaces.ts';

let agent: AgentInNamespaces;
let control: HostEnd;
let services: HostEnd;
let generation = 0;
let lastId = 0;

beforeAll(async () => {
  agent = await AgentInNamespaces.start();
  control = await agent.channel('control');
  services = await agent.channel('services');
}, 60_000);

afterAll(async () => {
  control.close();
  services.close();
  await agent.stop();
});

const init = (script: string, more: object = {}) =>
  control.ask({ method: 'init', argv: ['sh', '-c', script], timeout_ms: 10_000, ...more });

const notify = (more: object = {}) => {
  generation += 1;
  return {
    method: 'notify_forked',
    version: 1,
    generation,
    nonce: randomBytes(32).toString('hex'),
    seed: randomBytes(64).toString('hex'),
    host_wall_clock_nanos: Date.now() * 1e6,
    ...more,
  };
};

type End = Record<string, unknown>;

/** Acknowledges each chunk; ends with what was written. */
async function finish(id: number): Promise<End & { stdout: string; stderr: string; data: string }> {
  const said = { stdout: '', stderr: '', data: '' };
  for (;;) {
    const reply = await services.next();
    if (reply.id !== id || 'ack' in reply) continue;
    if ('ok' in reply) return { ...reply, ...said };
    said[reply.stream as keyof typeof said] += Buffer.from(String(reply.data), 'base64').toString();
    services.send({ id, method: 'ack', chunks: 1 });
  }
}

function exec(argv: string[], more: object = {}): number {
  const id = ++lastId;
  services.send({ id, method: 'exec', argv, timeout_ms: 10_000, max_output_octets: 1_000_000, ...more });
  return id;
}

const run = (script: string, more: object = {}) => finish(exec(['sh', '-c', script], more));

function file(request: object): Promise<Awaited<ReturnType<typeof finish>>> {
  const id = ++lastId;
  services.send({ id, ...request });
  return finish(id);
}

async function snapshotAndFork(more: object = {}): Promise<void> {
  expect(await control.ask({ method: 'prepare_snapshot' })).toEqual({ ok: true });
  expect(await control.ask(notify(more))).toMatchObject({ ok: true });
  expect(await control.ask({ method: 'release', generation })).toMatchObject({ ok: true });
}

describe('before the snapshot', () => {
  test('lines that are none are refused, and the channel goes on', async () => {
    control.write('no JSON\n');
    expect(await control.next()).toEqual({ ok: false, error: 'the line is no JSON object' });
    control.write(`${'x'.repeat(3 * maxLineOctets)}\n`);
    expect(await control.next()).toEqual({ ok: false, error: 'the line is too long' });
    control.write(Buffer.from([0, 0xff, 0xfe, 0x0a]));
    expect(await control.next()).toMatchObject({ ok: false });
    control.write('{"method"');
    control.write(':"ping"}\n');
    expect(await control.next()).toMatchObject({ ok: true, phase: 'running' });
  });

  test('half a line of a host that goes is dropped, and who comes while one is there is closed', async () => {
    const second = await agent.channel('control');
    await second.closed();
    control.write('{"method":"pi');
    control.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    control = await agent.channel('control');
    expect(await control.ask({ method: 'ping' })).toMatchObject({ ok: true });
  });

  test('nothing is served', async () => {
    expect(await run('true')).toMatchObject({ ok: false, error: 'not before the release' });
    expect(await file({ method: 'read', path: '/etc/hostname', max_octets: 100 })).toMatchObject({
      ok: false,
    });
  });

  test('an init command runs in the workload, its exit code and the end of its output are told', async () => {
    const reply = await init(
      'grep ^0: /proc/self/cgroup; head -c 100000 /dev/zero | tr "\\0" x; echo end >&2; exit 3',
    );
    expect(reply).toMatchObject({ ok: false, exit_code: 3 });
    expect(Buffer.from(String(reply.output), 'base64').toString()).toMatch(/^x{16380}end\n$/);
    expect(await init('grep -q "^0::/workload$" /proc/self/cgroup')).toMatchObject({ ok: true });
  });

  test('an init command that does not end is killed with its group; one that is not there is named so', async () => {
    expect(await init('sleep 600 & sleep 600', { timeout_ms: 300 })).toMatchObject({
      ok: false,
      signal: 'SIGKILL',
      timed_out: true,
    });
    expect(await control.ask({ method: 'init', argv: ['no-such-program'], timeout_ms: 1_000 })).toEqual({
      ok: false,
      error: 'the program could not be started: ENOENT',
    });
  });

  test('a live process refuses the snapshot by name and PID, and runs on', async () => {
    const started = await init('exec sleep 600', { background: true });
    const refused = await control.ask({ method: 'prepare_snapshot' });
    expect(refused).toMatchObject({ ok: false, processes: [{ pid: started.pid, comm: 'sleep' }] });
    // Declared, but it does not catch SIGUSR2.
    const declared = { method: 'prepare_snapshot', allow_processes: [{ comm: 'sleep' }] };
    expect(await control.ask(declared)).toMatchObject({ ok: false, processes: [{ comm: 'sleep' }] });
    expect(
      await init(`kill ${started.pid}; while kill -0 ${started.pid} 2>/dev/null; do sleep 0.05; done`),
    ).toMatchObject({ ok: true });
  });
});

async function ticks(afterMs = 0): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  // From outside: nothing can be asked of the agent now.
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = readlinkSync('/proc/self/ns/pid');
  const inside = pids.find((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/pid`) !== own && statSync(`/proc/${pid}/root/run/ticks`).isFile();
    } catch {
      return false;
    }
  });
  return statSync(`/proc/${inside}/root/run/ticks`).size / 'tick\n'.length;
}

describe('over the snapshot', () => {
  test('a declared process that answers SIGUSR2 is frozen, thawed, and signalled after the thaw', async () => {
    const trap = 'trap "echo usr2 >> /run/signals" USR2; : > /run/signals; ';
    const declared = { method: 'prepare_snapshot', allow_processes: [{ comm: 'sh' }, { comm: 'sleep' }] };
    const until = (file: string) => init(`while ! test -e ${file}; do sleep 0.02; done`);
    // The child does not catch it, and refuses the snapshot though it is declared.
    const parent = await init(`${trap} sleep 600 & while :; do wait; done`, { background: true });
    await until('/run/signals');
    const refused = await control.ask(declared);
    expect(refused).toMatchObject({ ok: false });
    expect(refused.processes).toMatchObject([{ comm: 'sleep' }]);
    expect(await init(`kill -9 -${parent.pid}; rm /run/signals`)).toMatchObject({ ok: true });
    const busy = await init(`${trap} while :; do echo tick >> /run/ticks; done`, { background: true });
    await until('/run/ticks');
    expect(await control.ask(declared)).toEqual({ ok: true });
    const [before, after] = [await ticks(), await ticks(300)];
    expect(after).toBe(before);
    expect(await control.ask(notify())).toMatchObject({ ok: true, reseeded_rng: true, generation });
    expect(await control.ask({ method: 'release', generation })).toEqual({ ok: true, signaled_processes: 1 });
    const end = await run(`sleep 0.2; cat /run/signals; kill -9 ${busy.pid}; cat /run/ticks | wc -l`);
    const [first, second, count] = end.stdout.trim().split('\n');
    expect([first, second]).toEqual(['usr2', 'usr2']);
    expect(Number(count)).toBeGreaterThan(after);
  });

  test('the answer holds the proof of its sample, and no two samples are alike', async () => {
    const samples = new Set<string>();
    for (let fork = 0; fork < 3; fork++) {
      expect(await control.ask({ method: 'prepare_snapshot' })).toEqual({ ok: true });
      const request = notify();
      const { sample, proof, applied_clock_step_nanos: step } = await control.ask(request);
      expect(proof).toBe(proofOf(String(sample), generation, request.nonce));
      expect(step).toBe(0);
      samples.add(String(sample));
      expect(await control.ask(request)).toMatchObject({ ok: false });
      expect(await control.ask({ method: 'release', generation: generation + 1 })).toMatchObject({
        ok: false,
      });
      expect(await control.ask({ method: 'release', generation })).toMatchObject({ ok: true });
    }
    expect(samples.size).toBe(3);
  });
});

describe('a fork', () => {
  test('has its own hostname, machine ID, boot ID, generation, and network', async () => {
    const look = 'hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id /run/sandbox/fork-generation';
    const before = (await run(look)).stdout.split('\n');
    await snapshotAndFork({ hostname: 'sandbox-9' });
    const after = (await run(look)).stdout.split('\n');
    expect(after[0]).toBe('sandbox-9');
    for (const line of [1, 2, 3]) expect(after[line]).not.toBe(before[line]);
    expect(after[2]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(after[3]).toBe(String(generation));
  });

  test('eth0 has what it was given, and nothing of before', async () => {
    await run(
      'ip link add eth0 type veth peer name host0; ip addr add 192.0.2.9/24 dev eth0; ip link set host0 up',
    );
    const network = {
      address: '10.0.0.2/30',
      gateway: '10.0.0.1',
      resolvers: ['10.0.0.1', '10.0.0.5'],
      mtu: 1_400,
    };
    await snapshotAndFork({ network });
    const { stdout } = await run(
      'ip -o -4 addr show eth0; ip route show default; ip -o link show eth0; cat /etc/resolv.conf',
    );
    expect(stdout).toMatch(/inet 10\.0\.0\.2\/30/);
    expect(stdout).not.toMatch(/192\.0\.2\.9/);
    expect(stdout).toMatch(/default via 10\.0\.0\.1 dev eth0/);
    expect(stdout).toMatch(/<[^>]*\bUP\b[^>]*> mtu 1400/);
    expect(stdout).toMatch(/nameserver 10\.0\.0\.1\nnameserver 10\.0\.0\.5\n$/);
  });
});

describe('exec', () => {
  test('passes argv, env, cwd and stdin on, and tells stdout, stderr and the exit code', async () => {
    const id = exec(['sh', '-c', 'echo "$1 $WORD $PWD"; cat; echo no >&2; exit 5', '-', 'a b'], {
      env: { WORD: 'ä' },
      cwd: '/run',
      stdin: true,
    });
    services.send(
      { id, method: 'stdin', data: Buffer.from('in').toString('base64') },
      { id, method: 'stdin_end' },
    );
    expect(await finish(id)).toMatchObject({
      ok: true,
      exit_code: 5,
      stdout: 'a b ä /run\nin',
      stderr: 'no\n',
    });
  });

  test('tells the signal that ended it, its own time and its own bound', async () => {
    expect(await run('kill -TERM $$')).toMatchObject({ ok: true, signal: 'SIGTERM' });
    expect(await run('sleep 600 | sleep 600', { timeout_ms: 200 })).toMatchObject({
      signal: 'SIGKILL',
      timed_out: true,
    });
    const cut = await run('yes', { max_output_octets: 100_001 });
    expect(cut).toMatchObject({ ok: true, truncated: true, signal: 'SIGKILL' });
    expect(cut.stdout).toHaveLength(100_001);
  });

  test.each<[string, object, string]>([
    ['no program', { argv: ['/no/such'] }, 'the program could not be started: ENOENT'],
    ['no right to it', { argv: ['/etc/passwd'] }, 'the program could not be started: EACCES'],
    ['no folder', { argv: ['true'], cwd: '/no/such' }, 'the program could not be started: cwd is no folder'],
  ])('is refused by name: %s', async (_, request, error) => {
    expect(await file({ method: 'exec', timeout_ms: 1_000, max_output_octets: 0, ...request })).toMatchObject(
      { ok: false, error },
    );
  });

  test('ends though something in the background holds its output open', async () => {
    expect(await run('sleep 600 & echo $!')).toMatchObject({ ok: true, exit_code: 0 });
    await run('pkill sleep');
  });

  test('kills a group on request, and takes back what is cancelled', async () => {
    const id = exec(['sh', '-c', 'sleep 600 & wait']);
    services.send({ id, method: 'kill', signal: 'SIGTERM' });
    expect(await finish(id)).toMatchObject({ ok: true, signal: 'SIGTERM' });
    const other = exec(['sleep', '600']);
    services.send({ id: other, method: 'cancel' });
    expect(await finish(other)).toMatchObject({ ok: false, error: 'cancelled' });
  });
});

describe('an exec beside others', () => {
  test('stands still when nobody acknowledges, and holds up nobody else', async () => {
    const id = exec(['yes'], { max_output_octets: 1e12 });
    const chunks: End[] = [];
    while (chunks.length < maxChunksInFlight) chunks.push(await services.next());
    expect(chunks.every((chunk) => chunk.id === id)).toBe(true);
    expect(await run('echo other')).toMatchObject({ ok: true, stdout: 'other\n' });
    services.send({ id, method: 'ack', chunks: 1 });
    expect(await services.next()).toMatchObject({ id, stream: 'stdout' });
    services.send({ id, method: 'cancel' });
    expect(await finish(id)).toMatchObject({ ok: false });
  });

  test('ends who sends more than the window holds, or acknowledges what was not sent', async () => {
    const data = Buffer.alloc(32_768, 'x').toString('base64');
    const id = exec(['sleep', '600'], { stdin: true });
    for (let chunk = 0; chunk < 3 * maxChunksInFlight; chunk++) services.send({ id, method: 'stdin', data });
    expect(await finish(id)).toMatchObject({ ok: false, error: 'cancelled' });
    const other = exec(['sleep', '600']);
    services.send({ id: other, method: 'ack', chunks: 1 });
    expect(await finish(other)).toMatchObject({ ok: false, error: 'cancelled' });
  });

  test('passes on a large input and output whole', async () => {
    const octets = randomBytes(1 << 20);
    const id = exec(['sha256sum'], { stdin: true });
    let free = maxChunksInFlight;
    for (let at = 0; at < octets.length; at += 32_768) {
      while (free === 0) free += Number((await services.next()).ack);
      services.send({ id, method: 'stdin', data: octets.subarray(at, at + 32_768).toString('base64') });
      free -= 1;
    }
    services.send({ id, method: 'stdin_end' });
    expect((await finish(id)).stdout).toBe(`${hash('sha256', octets)}  -\n`);
  });

  test('is refused beyond the bound, and an id in use is refused under id 0', async () => {
    const ids = Array.from({ length: maxServicesInFlight }, () => exec(['sleep', '600']));
    expect(await run('true')).toMatchObject({ ok: false, error: 'busy: 16 requests are in flight' });
    services.send({ id: ids[0], method: 'stat', path: '/' });
    expect(await services.next()).toEqual({ id: 0, ok: false, error: 'the id is in use' });
    for (const id of ids) services.send({ id, method: 'cancel' });
    for (const _ of ids) expect(await services.next()).toMatchObject({ ok: false, error: 'cancelled' });
  });

  test('leaves no zombie, of its own or of others', async () => {
    await run('for i in 1 2 3 4 5 6 7 8; do (sh -c "sleep 0.05 & exec true" &); done; exec true');
    await run('sleep 0.3');
    expect((await run('cat /proc/[0-9]*/stat | grep -c ") Z " || true')).stdout).toBe('0\n');
  });

  test('runs in the workload alone: the agent is in no cgroup of it', async () => {
    expect((await run('cat /proc/self/cgroup /proc/1/cgroup | grep ^0:')).stdout).toBe(
      '0::/workload\n0::/\n',
    );
  });

  test('goes with the host that asked for it', async () => {
    exec(['sh', '-c', 'exec sleep 601']);
    await run('true');
    services.close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    services = await agent.channel('services');
    expect((await run('pgrep -f "[s]leep 601" | wc -l')).stdout).toBe('0\n');
  });
});

describe('files', () => {
  const write = (path: string, ...chunks: string[]) => {
    const id = ++lastId;
    services.send({ id, method: 'write', path, mode: 0o640 });
    for (const [index, chunk] of chunks.entries()) {
      const end = index === chunks.length - 1 ? { end: true } : {};
      services.send({ id, method: 'data', data: Buffer.from(chunk).toString('base64'), ...end });
    }
    return finish(id);
  };
  const read = (path: string, max_octets = 1_000) => file({ method: 'read', path, max_octets });

  test('are written whole with their folders and mode, read, listed, and removed', async () => {
    expect(await write('/run/files/new/a', 'one ', 'two')).toMatchObject({ ok: true });
    expect(await read('/run/files/new/a')).toMatchObject({ ok: true, data: 'one two' });
    expect(await file({ method: 'stat', path: '/run/files/new/a' })).toMatchObject({
      ok: true,
      entry: { name: 'a', kind: 'file', octets: 7, mode: 0o640 },
    });
    services.send({ id: ++lastId, method: 'list', path: '/run/files/new' });
    expect(await services.next()).toMatchObject({
      stream: 'entries',
      entries: [{ name: 'a', kind: 'file' }],
    });
    expect(await services.next()).toMatchObject({ ok: true });
    expect(await file({ method: 'remove', path: '/run/files/new' })).toMatchObject({
      error: 'remove: ENOTEMPTY',
    });
    for (const path of ['/run/files/new/a', '/run/files/new']) {
      expect(await file({ method: 'remove', path })).toMatchObject({ ok: true });
    }
    expect(await read('/run/files/new/a')).toMatchObject({ ok: false, error: 'read: ENOENT' });
  });

  test('are as they were when a write is cancelled, and nothing is left beside', async () => {
    await write('/run/files/kept', 'old');
    const id = ++lastId;
    services.send({ id, method: 'write', path: '/run/files/kept', mode: 0o600 });
    services.send(
      { id, method: 'data', data: Buffer.from('new').toString('base64') },
      { id, method: 'cancel' },
    );
    expect(await finish(id)).toMatchObject({ ok: false });
    expect(await read('/run/files/kept')).toMatchObject({ data: 'old' });
    expect((await run('ls -A /run/files')).stdout).toBe('kept\n');
  });

  test('are never reached through a link at the end of a path, nor by what is no regular file', async () => {
    await run('cd /run/files; echo secret > target; ln -s target link; mkfifo fifo; ln -s /run/files folder');
    expect(await read('/run/files/link')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await read('/run/files/fifo')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await read('/dev/zero')).toMatchObject({ ok: false, error: 'read: no regular file' });
    expect(await file({ method: 'list', path: '/run/files/folder' })).toMatchObject({
      error: 'list: no folder',
    });
    expect(await write('/run/files/link', 'mine')).toMatchObject({ ok: true });
    expect(await read('/run/files/target')).toMatchObject({ data: 'secret\n' });
    await run('ln -s target /run/files/again');
    expect(await file({ method: 'remove', path: '/run/files/again' })).toMatchObject({ ok: true });
    expect(await read('/run/files/target')).toMatchObject({ ok: true });
  });

  test('without end, or longer than asked for, are refused or cut at what they were', async () => {
    expect(await read('/proc/kmsg')).toMatchObject({ ok: true, data: '' });
    await write('/run/files/long', 'x'.repeat(100));
    expect(await read('/run/files/long', 99)).toMatchObject({
      ok: false,
      error: 'read: longer than max_octets',
    });
  });

  test.each([
    'etc/passwd',
    '/etc/../etc/passwd',
    '/etc//passwd',
    '/etc/./passwd',
    '/etc/passwd/',
    '/etc/\0passwd',
  ])('are never reached by %j', async (path) =>
    expect(await read(path)).toMatchObject({ ok: false, error: expect.stringContaining('path') }),
  );
});

test('what was said on the console holds nothing of what was asked', () => {
  expect(agent.said).toMatch(/^guest-agent: ready\n$/);
});
