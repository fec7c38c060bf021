/** The lab itself: a killed run leaves nothing, the host is never touched, a pod is fresh within its bound. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '../../fixtures/husk-network.ts';

const holder = fileURLToPath(new URL('../../fixtures/hold-pod.ts', import.meta.url));
const goneMs = 5_000;

/** Of the host, as it sees itself. */
function hostState(): string {
  const run = (program: string, ...words: string[]) => spawnSync(program, words, { encoding: 'utf8' }).stdout;
  return [run('ip', '-br', 'link'), run('ip', 'route'), run('nft', 'list', 'ruleset')].join('\n');
}

/** Network namespaces that a process is in or holds by a descriptor. */
function namespacesInUse(): Set<string> {
  const found = new Set<string>();
  const note = (path: string) => {
    try {
      found.add(readlinkSync(path));
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  };
  const list = (path: string) => (existsSync(path) ? readdirSync(path) : []);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const task of list(`/proc/${pid}/task`)) note(`/proc/${pid}/task/${task}/ns/net`);
    for (const fd of list(`/proc/${pid}/fd`)) note(`/proc/${pid}/fd/${fd}`);
  }
  return found;
}

test('the host is never touched, and after kill -9 nothing of a pod is left', async ({ seed: _ }) => {
  const before = hostState();
  const child = spawn(process.execPath, [holder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { datapath, held } = JSON.parse(line.toString()) as { datapath: number; held: string[] };
  expect(existsSync(`/proc/${datapath}`)).toBe(true);
  expect(held.filter((namespace) => namespacesInUse().has(namespace))).toEqual(held);
  expect(hostState()).toBe(before);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect.poll(() => existsSync(`/proc/${datapath}`), { timeout: goneMs }).toBe(false);
  const inUse = namespacesInUse();
  expect(held.filter((namespace) => inUse.has(namespace))).toEqual([]);
  expect(hostState()).toBe(before);
});

test('a pod is fresh within a tenth of a second, in the median', async ({ freshPod }, info) => {
  await freshPod('reference');
  const times: number[] = [];
  for (let round = 0; round < 9; round++) {
    const begun = performance.now();
    await freshPod('reference');
    times.push(performance.now() - begun);
  }
  const median = times.sort((a, b) => a - b)[4] ?? Number.POSITIVE_INFINITY;
  info.annotations.push({ type: 'median of a fresh pod', description: `${median.toFixed(1)} ms` });
  // The first of each process is slower, and so is every one beside another worker: the bound is generous.
  expect(median).toBeLessThan(300);
});
