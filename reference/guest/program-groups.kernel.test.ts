/**
 * What an exec started ends with it when it is ended, and its bounds hold, in namespaces of its own.
 * Needs: root (cgroups).
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { maxChunksInFlight } from '#reference/contract/guest-protocol.ts';
import { AgentTalk } from './agent-talk.ts';

const talk = AgentTalk.forThisFile();

beforeAll(() => talk.snapshotAndFork());

/** Forked twice, in a session of its own, so that neither parent nor process group leads to it. */
const left = (seconds: number) =>
  `(setsid sh -c "sleep ${seconds} & sleep ${seconds} & exec sleep ${seconds}" &)`;
/** When all three are there. */
const there = (seconds: number) => `until [ $(pgrep -fc "^sleep ${seconds}") = 3 ]; do sleep 0.02; done`;
/** Ends when the other has more to say than is read. */
const flood = '(setsid yes &); until pgrep -x yes >/dev/null; do sleep 0.02; done; sleep 1; exit 0';
const said = async (script: string) => (await talk.run(`${script}; true`)).stdout;
const count = async (seconds: number) => Number(await said(`pgrep -fc "^sleep ${seconds}"`));

describe('who an exec left in the background', () => {
  test('lives on when it ended by itself: what the others end, is there', async () => {
    expect(await talk.run(`${left(610)} >/dev/null 2>&1; ${there(610)}`)).toMatchObject({ exit_code: 0 });
    expect(await count(610)).toBe(3);
    await talk.run('pkill -f "^sleep 610"');
    expect(await count(610)).toBe(0);
  });

  test('is killed with it when its time is over', async () => {
    const end = await talk.run(`${left(611)}; ${there(611)}; echo there; sleep 600`, { timeout_ms: 3_000 });
    expect(end).toMatchObject({ signal: 'SIGKILL', timed_out: true, stdout: 'there\n' });
    expect(await count(611)).toBe(0);
  });

  test('is killed at the end of its time though it ended before, when its output is still to be read', async () => {
    const id = talk.exec(['sh', '-c', flood], { timeout_ms: 4_000, max_output_octets: 1e12 });
    for (let chunk = 0; chunk < maxChunksInFlight; chunk++) await talk.services.next();
    await expect.poll(() => said('pgrep -c "^yes$"'), { timeout: 20_000 }).toBe('0\n');
    talk.services.send({ id, method: 'ack', chunks: maxChunksInFlight });
    expect(await talk.finish(id)).toMatchObject({ exit_code: 0, timed_out: true });
  });

  test('is killed when more output came than may', async () => {
    const end = await talk.run(`${left(612)}; ${there(612)}; yes`, { max_output_octets: 1_000 });
    expect(end).toMatchObject({ truncated: true, signal: 'SIGKILL' });
    expect(await count(612)).toBe(0);
  });

  test('is killed by SIGKILL and by a cancel, and by no other signal', async () => {
    for (const [request, isLeft] of [
      [{ method: 'kill', signal: 'SIGTERM' }, true],
      [{ method: 'kill', signal: 'SIGKILL' }, false],
      [{ method: 'cancel' }, false],
    ] as const) {
      const id = talk.exec([
        'sh',
        '-c',
        `${left(613)} >/dev/null 2>&1; ${there(613)}; echo there; sleep 600`,
      ]);
      expect(await talk.services.next()).toMatchObject({ id, stream: 'stdout' });
      talk.services.send({ id, ...request });
      await talk.finish(id);
      expect(await count(613)).toBe(isLeft ? 3 : 0);
      await talk.run('pkill -f "^sleep 613"');
    }
  });

  test('is killed when the host goes', async () => {
    const id = talk.exec(['sh', '-c', `${left(614)}; ${there(614)}; echo there; sleep 600`]);
    expect(await talk.services.next()).toMatchObject({ id, stream: 'stdout' });
    talk.services.close();
    talk.services = await reopened();
    expect(await count(614)).toBe(0);
  });

  test('of a flood that nobody reads is killed by a cancel after its parent has ended', async () => {
    const id = talk.exec(['sh', '-c', flood], { max_output_octets: 1e12 });
    for (let chunk = 0; chunk < maxChunksInFlight; chunk++) await talk.services.next();
    talk.services.send({ id, method: 'cancel' });
    expect(await talk.finish(id)).toMatchObject({ ok: false, error: 'cancelled' });
    expect(await said('pgrep -c "^yes$"')).toBe('0\n');
  });
});

/** Once the one before is known to be gone. */
async function reopened() {
  for (;;) {
    const services = await talk.agent.channel('services');
    services.send({ id: ++talk.lastId, method: 'stat', path: '/' });
    const closed = services.closed().then(() => null);
    if ((await Promise.race([services.next().catch(() => null), closed])) !== null) return services;
  }
}

test('no cgroup is left of programs that have ended, nor of cgroups that they made', async () => {
  await talk.run('mkdir -p /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/own/deeper');
  for (let ran = 0; ran < 3; ran++) await talk.run('true');
  expect((await talk.run('ls -d /sys/fs/cgroup/workload/program-* | wc -l')).stdout).toBe('1\n');
});

describe('the bounds of an exec', () => {
  const has = async (name: string) =>
    (await talk.run('cat /sys/fs/cgroup/workload/cgroup.controllers')).stdout.split(/\s/).includes(name);

  test('hold its processes, or it is refused where the kernel cannot', async () => {
    const end = await talk.run('for n in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait', {
      max_processes: 4,
      timeout_ms: 20_000,
    });
    if (await has('pids')) expect(end.stderr).toMatch(/fork/i);
    else expect(end).toMatchObject({ ok: false, error: expect.stringContaining('controller pids') });
  });

  test('hold its memory, or it is refused where the kernel cannot', async () => {
    const end = await talk.run('head -c 64M /dev/zero | tail -c 64M | wc -c', {
      max_memory_octets: 16 << 20,
    });
    if (await has('memory')) expect(end).toMatchObject({ signal: 'SIGKILL' });
    else expect(end).toMatchObject({ ok: false, error: expect.stringContaining('controller memory') });
  });
});
