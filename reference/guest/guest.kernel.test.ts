/**
 * The agent for real on this kernel, in PID, mount, UTS, network and cgroup namespaces of its own: the real generator
 * and the real freezer, over a snapshot and its forks. What is credited is fresh, and the clock is not stepped: the
 * host's time is told.
 * Needs: root (the generator's ioctls, cgroups).
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { proofOf } from '../decisions/reseed-proof.ts';
import { AgentTalk } from './agent-talk.ts';

const talk = AgentTalk.forThisFile();

describe('before the snapshot', () => {
  test('lines that are none are refused, and the channel goes on', async () => {
    talk.control.write('no JSON\n');
    expect(await talk.control.next()).toEqual({ ok: false, error: 'the line is no JSON object' });
    talk.control.write(`${'x'.repeat(3 * maxLineOctets)}\n`);
    expect(await talk.control.next()).toEqual({ ok: false, error: 'the line is too long' });
    talk.control.write(Buffer.from([0, 0xff, 0xfe, 0x0a]));
    expect(await talk.control.next()).toMatchObject({ ok: false });
    talk.control.write('{"method"');
    talk.control.write(':"ping"}\n');
    expect(await talk.control.next()).toMatchObject({ ok: true, phase: 'running' });
  });

  test('half a line of a host that goes is dropped, and who comes while one is there is closed', async () => {
    const second = await talk.agent.channel('control');
    await second.closed();
    talk.control.write('{"method":"pi');
    talk.control.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    talk.control = await talk.agent.channel('control');
    expect(await talk.control.ask({ method: 'ping' })).toMatchObject({ ok: true });
  });

  test('nothing is served', async () => {
    expect(await talk.run('true')).toMatchObject({ ok: false, error: 'not before the release' });
    expect(await talk.file({ method: 'read', path: '/etc/hostname', max_octets: 100 })).toMatchObject({
      ok: false,
    });
  });

  test('an init command runs in the workload, its exit code and the end of its output are told', async () => {
    const reply = await talk.init(
      'grep ^0: /proc/self/cgroup; head -c 100000 /dev/zero | tr "\\0" x; echo end >&2; exit 3',
    );
    expect(reply).toMatchObject({ ok: false, exit_code: 3 });
    expect(Buffer.from(String(reply.output), 'base64').toString()).toMatch(/^x{16380}end\n$/);
    expect(await talk.init('grep -q "^0::/workload/program-[0-9]*$" /proc/self/cgroup')).toMatchObject({
      ok: true,
    });
  });

  test('an init command that does not end is killed with its group; one that is not there is named so', async () => {
    expect(await talk.init('sleep 600 & sleep 600', { timeout_ms: 300 })).toMatchObject({
      ok: false,
      signal: 'SIGKILL',
      timed_out: true,
    });
    expect(await talk.control.ask({ method: 'init', argv: ['no-such-program'], timeout_ms: 1_000 })).toEqual({
      ok: false,
      error: 'the program could not be started: ENOENT',
    });
  });

  test('a live process refuses the snapshot by name and PID, and runs on', async () => {
    const started = await talk.init('exec sleep 600', { background: true });
    const refused = await talk.control.ask({ method: 'prepare_snapshot' });
    expect(refused).toMatchObject({ ok: false, processes: [{ pid: started.pid, comm: 'sleep' }] });
    // Declared, but it does not catch SIGUSR2.
    const declared = { method: 'prepare_snapshot', allow_processes: [{ comm: 'sleep' }] };
    expect(await talk.control.ask(declared)).toMatchObject({ ok: false, processes: [{ comm: 'sleep' }] });
    expect(
      await talk.init(`kill ${started.pid}; while kill -0 ${started.pid} 2>/dev/null; do sleep 0.05; done`),
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
    const until = (file: string) => talk.init(`while ! test -e ${file}; do sleep 0.02; done`);
    // The child does not catch it, and refuses the snapshot though it is declared.
    const parent = await talk.init(`${trap} sleep 600 & while :; do wait; done`, { background: true });
    await until('/run/signals');
    const refused = await talk.control.ask(declared);
    expect(refused).toMatchObject({ ok: false });
    expect(refused.processes).toMatchObject([{ comm: 'sleep' }]);
    expect(await talk.init(`kill -9 -${parent.pid}; rm /run/signals`)).toMatchObject({ ok: true });
    const busy = await talk.init(`${trap} while :; do echo tick >> /run/ticks; done`, { background: true });
    await until('/run/ticks');
    expect(await talk.control.ask(declared)).toEqual({ ok: true });
    const [before, after] = [await ticks(), await ticks(300)];
    expect(after).toBe(before);
    expect(await talk.control.ask(talk.notify())).toMatchObject({
      ok: true,
      reseeded_rng: true,
      generation: talk.generation,
    });
    expect(await talk.control.ask({ method: 'release', generation: talk.generation })).toEqual({
      ok: true,
      signaled_processes: 1,
    });
    const end = await talk.run(`sleep 0.2; cat /run/signals; kill -9 ${busy.pid}; cat /run/ticks | wc -l`);
    const [first, second, count] = end.stdout.trim().split('\n');
    expect([first, second]).toEqual(['usr2', 'usr2']);
    expect(Number(count)).toBeGreaterThan(after);
  });

  test('the answer holds the proof of its sample, and no two samples are alike', async () => {
    const samples = new Set<string>();
    for (let fork = 0; fork < 3; fork++) {
      expect(await talk.control.ask({ method: 'prepare_snapshot' })).toEqual({ ok: true });
      const request = talk.notify();
      const { sample, proof, applied_clock_step_nanos: step } = await talk.control.ask(request);
      expect(proof).toBe(proofOf(String(sample), talk.generation, request.nonce));
      expect(step).toBe(0);
      samples.add(String(sample));
      expect(await talk.control.ask(request)).toMatchObject({ ok: false });
      expect(await talk.control.ask({ method: 'release', generation: talk.generation + 1 })).toMatchObject({
        ok: false,
      });
      expect(await talk.control.ask({ method: 'release', generation: talk.generation })).toMatchObject({
        ok: true,
      });
    }
    expect(samples.size).toBe(3);
  });
});

describe('a fork', () => {
  test('has its own hostname, machine ID, boot ID, generation, and network', async () => {
    const look = 'hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id /run/sandbox/fork-generation';
    const before = (await talk.run(look)).stdout.split('\n');
    await talk.snapshotAndFork({ hostname: 'sandbox-9' });
    const after = (await talk.run(look)).stdout.split('\n');
    expect(after[0]).toBe('sandbox-9');
    for (const line of [1, 2, 3]) expect(after[line]).not.toBe(before[line]);
    expect(after[2]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(after[3]).toBe(String(talk.generation));
  });

  test('eth0 has what it was given, and nothing of before', async () => {
    await talk.run(
      'ip link add eth0 type veth peer name host0; ip addr add 192.0.2.9/24 dev eth0; ip link set host0 up',
    );
    const network = {
      address: '10.0.0.2/30',
      gateway: '10.0.0.1',
      resolvers: ['10.0.0.1', '10.0.0.5'],
      mtu: 1_400,
    };
    await talk.snapshotAndFork({ network });
    const { stdout } = await talk.run(
      'ip -o -4 addr show eth0; ip route show default; ip -o link show eth0; cat /etc/resolv.conf',
    );
    expect(stdout).toMatch(/inet 10\.0\.0\.2\/30/);
    expect(stdout).not.toMatch(/192\.0\.2\.9/);
    expect(stdout).toMatch(/default via 10\.0\.0\.1 dev eth0/);
    expect(stdout).toMatch(/<[^>]*\bUP\b[^>]*> mtu 1400/);
    expect((await talk.run('cat /proc/sys/net/ipv6/conf/eth0/accept_ra')).stdout).toBe('0\n');
    expect(stdout).toMatch(/nameserver 10\.0\.0\.1\nnameserver 10\.0\.0\.5\n$/);
  });
});
