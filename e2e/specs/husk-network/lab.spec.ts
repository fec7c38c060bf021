/** The lab itself: a killed run leaves nothing, the host is never touched. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { guest, uplink } from '#kvm-lab/providers/topology.ts';
import { inetTable } from '#reference/contract/datapath.ts';
import { expect, test } from '../../fixtures/husk-network.ts';
import { kill, removeLeft, startHolder } from '../../fixtures/pod-holder.ts';

const goneMs = 5_000;

/** Of the host, as it sees itself. */
function hostState(): string {
  const run = (program: string, ...words: string[]) => spawnSync(program, words, { encoding: 'utf8' }).stdout;
  return [run('ip', '-br', 'link'), run('ip', 'route'), run('nft', 'list', 'ruleset')].join('\n');
}

/** Processes that are in one of the namespaces, or hold it by a descriptor. */
function holdersOf(namespaces: readonly string[]): number[] {
  const holds = (path: string) => {
    try {
      return namespaces.includes(readlinkSync(path));
    } catch (error) {
      if (['ENOENT', 'EACCES', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  };
  // Processes of other users cannot be looked into, nor can they hold what is ours.
  const list = (path: string) => {
    try {
      return readdirSync(path).map((name) => `${path}/${name}`);
    } catch (error) {
      if (['ENOENT', 'EACCES', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) =>
      [...list(`/proc/${pid}/task`).map((task) => `${task}/ns/net`), ...list(`/proc/${pid}/fd`)].some(holds),
    )
    .map(Number);
}

test('the host is never touched, and after kill -9 nothing of a pod is left', async ({ seed: _ }) => {
  const before = hostState();
  const holder = await startHolder();
  const { child, processes, machines, held } = holder;
  for (const pid of [...processes, ...machines]) expect(existsSync(`/proc/${pid}`)).toBe(true);
  // Nobody but these has the namespaces, so they go with these. Their numbers are given out again at once,
  // to other workers: it is of no use to look for the numbers later.
  expect(holdersOf(held).sort()).toEqual([child.pid ?? 0, ...processes].sort());
  expect(hostState()).toBe(before);
  await kill(holder);
  for (const pid of [...processes, ...machines])
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: goneMs }).toBe(false);
  expect(hostState()).toBe(before);
  await removeLeft(holder);
});

/** A host with the lab's own names and addresses, and a table such as a killed datapath leaves. */
const crowded = [
  `ip link add ${uplink.name} type veth peer name ${guest.tap}`,
  `ip addr add ${uplink.ipv4}/24 dev ${uplink.name}`,
  `ip addr add ${guest.ipv4.gateway}/30 dev ${guest.tap}`,
  `ip link set ${uplink.name} up`,
  `ip link set ${guest.tap} up`,
  `nft add table inet ${inetTable}`,
  'exec "$@"',
].join(' && ');

const linksOf = (text: string) =>
  (JSON.parse(text) as { ifname: string }[]).map(({ ifname }) => ifname).sort();

test('a host that has the lab’s own names, addresses and tables is no obstacle, and never touched', async ({
  seed: _,
}) => {
  const holder = await startHolder(['unshare', '-n', 'sh', '-c', crowded, '-']);
  const { child, processes } = holder;
  try {
    expect(processes.length).toBeGreaterThan(0);
    const inside = (command: string) =>
      spawnSync('nsenter', [`--net=/proc/${child.pid}/ns/net`, 'sh', '-c', command], { encoding: 'utf8' })
        .stdout;
    const bare = spawnSync('unshare', ['-n', 'ip', '-j', 'link'], { encoding: 'utf8' }).stdout;
    expect(linksOf(inside('ip -j link'))).toEqual([...linksOf(bare), uplink.name, guest.tap].sort());
    const addresses = inside('ip -4 -br addr');
    expect(addresses).toContain(`${uplink.ipv4}/24`);
    expect(addresses).toContain(`${guest.ipv4.gateway}/30`);
    // Empty, as it was made: no datapath took it for what an earlier one left.
    expect(inside('nft list ruleset').replaceAll(/\s/g, '')).toBe(`tableinet${inetTable}{}`);
  } finally {
    await kill(holder);
    await removeLeft(holder);
  }
});
