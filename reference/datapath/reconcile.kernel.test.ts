/** After kill -9 at every step, the next datapath finds everything that was left, and nothing of others. Needs: tun. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '../decisions/ruleset/ruleset-samples.ts';
import { Datapath } from './datapath.ts';
import { flowsOf } from './flows.ts';
import { layGround, ruleset, run, strangers } from './kernel-ground.ts';
import { NETLINK_NETFILTER, NetlinkSession } from './netlink.ts';

const child = fileURLToPath(new URL('./killed-datapath.ts', import.meta.url));
const most = 200;

beforeAll(() => {
  layGround();
  run('nft', 'add', 'table', 'ip', 'of-the-pod');
  run('nft', 'add set ip of-the-pod s { type ipv4_addr; elements = { 10.200.0.2 }; }');
  // Flows are tracked only where a rule asks for them: the pod's own, whatever of ours stands.
  run('nft', 'add chain ip of-the-pod c { type filter hook output priority 0; policy accept; }');
  run('nft', 'add rule ip of-the-pod c ct state invalid drop');
});

/** How the child ended, and who holds its taps. */
function killedAt(step: number): { signal: string | null; holders: number[] } {
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, [child, String(step)], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(`step ${step}: ${signal ?? status}: ${stderr}`);
  return {
    signal,
    holders: stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  };
}

test('kill -9 before and after each conversation with the kernel', { timeout: 300_000 }, () => {
  const netfilter = new NetlinkSession(NETLINK_NETFILTER);
  const fresh = new Datapath(contractPod);
  const empty = ruleset();
  fresh.shutDown();
  const others = ruleset();
  let [steps, withTaps, withRules] = [0, 0, 0];
  for (let step = 1, isOver = false; !isOver && step < most; step++) {
    const { signal, holders } = killedAt(step);
    try {
      isOver = signal === null;
      steps += 1;
      withTaps += strangers().length > 0 ? 1 : 0;
      withRules += ruleset().includes('tap-0') ? 1 : 0;
      run('bash', '-c', 'echo x > /dev/udp/9.9.9.9/4444');
      const next = new Datapath(contractPod);
      expect(strangers(), `step ${step}`).toEqual([]);
      expect(ruleset(), `step ${step}`).toBe(empty);
      const sources = flowsOf(netfilter, null).map(({ flow }) => flow.source);
      expect(
        sources.filter((source) => source.startsWith('10.200.')),
        `step ${step}`,
      ).toEqual([]);
      expect(sources).toContain('192.0.2.10');
      const { fd } = next.open(sampleNetwork(0), narrowPolicy);
      next.shutDown();
      close(fd);
      expect(ruleset(), `step ${step}`).toBe(others);
    } finally {
      for (const pid of holders) process.kill(pid, 'SIGKILL');
    }
  }
  netfilter.close();
  console.log(`killed at ${steps - 1} steps: ${withTaps} left taps, ${withRules} left rules`);
  expect(steps).toBeGreaterThan(30);
  expect(Math.min(withTaps, withRules)).toBeGreaterThan(5);
});
