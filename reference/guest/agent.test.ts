/** The agent on a kernel of paper: the order of its work, and what refuses a snapshot or a fork. */
import { describe, expect, test } from 'vitest';
import type { ControlRequest } from '#reference/contract/guest-protocol.ts';
import { FakeKernel } from './fake-kernel.ts';

const fork = {
  method: 'notify_forked',
  version: 1,
  generation: 7,
  nonce: 'aa'.repeat(32),
  seed: '5e'.repeat(32),
  host_wall_clock_nanos: 0,
} as const;
const now = () => Date.now() * 1e6;
const prepare = { method: 'prepare_snapshot' } as const;
const release = { method: 'release', generation: 7 } as const;

async function answers(kernel: FakeKernel, ...requests: ControlRequest[]): Promise<object[]> {
  const agent = kernel.agent();
  const replies: object[] = [];
  for (const request of requests) replies.push(await agent.control(request));
  return replies;
}

describe('the agent', () => {
  test('always reseeds, then repairs, in the one order, and thaws only on release', async () => {
    const kernel = new FakeKernel();
    const network = { address: '10.0.0.2/30', gateway: '10.0.0.1', resolvers: ['10.0.0.1'] };
    const volumes = [{ serial: 'a', path: '/data', readonly: true }];
    const replies = await answers(
      kernel,
      prepare,
      { ...fork, host_wall_clock_nanos: 1, network, volumes, hostname: 'sb' },
      release,
    );
    expect(replies).toMatchObject([
      { ok: true },
      { ok: true, generation: 7 },
      { ok: true, signaled_processes: 2 },
    ]);
    expect(kernel.done).toEqual([
      'rehearse an exec',
      'freeze',
      'detach volumes',
      'hold files',
      'rehearse a fork',
      'RNDADDENTROPY 256 bits',
      'RNDRESEEDCRNG',
      'getrandom',
      'RAND_poll',
      'clock_settime',
      'write generation',
      'write bootId',
      'write machineId',
      'sethostname sb',
      'write hostname',
      'network 10.0.0.2/30',
      'write resolvers',
      'volume /data',
      'thaw',
      'SIGUSR2',
    ]);
  });

  test('leaves the clock alone when it drifts by half a second or less', async () => {
    const kernel = new FakeKernel();
    const [, reply] = await answers(kernel, prepare, { ...fork, host_wall_clock_nanos: now() });
    expect(kernel.done).not.toContain('clock_settime');
    expect(reply).toMatchObject({ ok: true, applied_clock_step_nanos: 0 });
  });

  test.each(['RNDADDENTROPY 256 bits', 'RNDRESEEDCRNG', 'getrandom'])(
    'refuses the fork for good when %s fails, and repairs nothing',
    async (call) => {
      const kernel = new FakeKernel();
      kernel.deny(call);
      const [, refused, again, released] = await answers(
        kernel,
        prepare,
        fork,
        { ...fork, generation: 8 },
        release,
      );
      expect(refused).toMatchObject({
        ok: false,
        reseeded_rng: false,
        error: expect.stringContaining('EPERM'),
      });
      expect(again).toMatchObject({ ok: false });
      expect(released).toMatchObject({ ok: false });
      expect(kernel.done).not.toContain('RAND_poll');
      expect(kernel.done).not.toContain('thaw');
    },
  );
});

describe('a fork that cannot be repaired', () => {
  test.each(['RAND_poll', 'clock_settime', 'write machineId', 'write bootId'])(
    'is refused when %s fails',
    async (step) => {
      const kernel = new FakeKernel();
      kernel.deny(step);
      const [, refused, released] = await answers(kernel, prepare, fork, release);
      expect(refused).toMatchObject({ ok: false, reseeded_rng: false });
      expect(released).toMatchObject({ ok: false });
      expect(kernel.done).not.toContain('thaw');
    },
  );

  test('is refused and logged without a word of seed, nonce or clock', async () => {
    const said: string[] = [];
    const kernel = new FakeKernel();
    kernel.deny('clock_settime');
    const agent = kernel.agent({ log: (sentence) => said.push(sentence) });
    const replies = [
      await agent.control(prepare),
      await agent.control({ ...fork, host_wall_clock_nanos: 1_234_567 }),
    ];
    const text = JSON.stringify([said, replies]);
    expect(said).toContain('a fork could not be repaired: clock: EPERM');
    for (const value of [fork.seed, fork.nonce, '1234567']) expect(text).not.toContain(value);
  });
});

describe('a snapshot', () => {
  test('is refused while processes are alive, by name and PID, and thaws them', async () => {
    const kernel = new FakeKernel();
    kernel.others = [{ pid: 42, comm: 'python3', startTicks: '1', cgroup: '/workload' }];
    const [refused] = await answers(kernel, prepare);
    expect(refused).toMatchObject({ ok: false, processes: [{ pid: 42, comm: 'python3' }] });
    expect(kernel.done.at(-1)).toBe('thaw');
  });

  test('is refused while a request on services has not ended, and when the workload does not freeze', async () => {
    const busy = new FakeKernel();
    busy.inFlight = 1;
    expect(await answers(busy, prepare)).toMatchObject([
      { ok: false, error: 'a request on services has not ended' },
    ]);
    const stiff = new FakeKernel();
    stiff.freezes = false;
    expect(await answers(stiff, prepare)).toMatchObject([
      { ok: false, error: 'the workload did not freeze' },
    ]);
    expect(stiff.done.at(-1)).toBe('thaw');
  });

  test('is refused while a volume is in use, by its name, and rehearses nothing', async () => {
    const kernel = new FakeKernel();
    kernel.usedVolume = 'the volume a cannot be unmounted: EBUSY';
    expect(await answers(kernel, prepare)).toMatchObject([{ ok: false, error: kernel.usedVolume }]);
    expect(kernel.done).not.toContain('rehearse a fork');
    expect(kernel.done.at(-1)).toBe('thaw');
  });
});

describe('what is asked', () => {
  test('of a template, init and facts, is answered only before the first snapshot', async () => {
    const init = { method: 'init', argv: ['true'], timeout_ms: 1 } as const;
    const replies = await answers(new FakeKernel(), init, { method: 'facts' }, prepare, init, {
      method: 'facts',
    });
    expect(replies).toMatchObject([{ ok: true }, { ok: true }, { ok: true }, { ok: false }, { ok: false }]);
  });

  test('of services is refused before the release, and served after it', async () => {
    const agent = new FakeKernel().agent();
    const refusals: (string | null)[] = [agent.refusal('exec')];
    for (const request of [prepare, fork, release]) {
      await agent.control(request);
      refusals.push(agent.refusal('files'));
    }
    const no = 'not before the release';
    expect(refusals).toEqual([no, no, no, null]);
  });

  test('by a ping tells the phase, and which versions are spoken', async () => {
    const replies = await answers(new FakeKernel(), { method: 'ping' }, prepare, { method: 'ping' }, fork, {
      method: 'ping',
    });
    expect(replies[0]).toMatchObject({ ok: true, phase: 'running', generation: 0, versions: [1] });
    expect(replies[2]).toMatchObject({ phase: 'frozen' });
    expect(replies[4]).toMatchObject({ phase: 'replied', generation: 7 });
  });
});
