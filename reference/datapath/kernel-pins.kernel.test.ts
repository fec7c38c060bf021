/** The kernel's sets keep the contract of every `PinPort`; without NET_ADMIN it says so. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import type { Command } from '../decisions/ruleset/nft-json.ts';
import { run } from './kernel-ground.ts';
import { KernelPins } from './kernel-pins.ts';
import { NETLINK_NETFILTER, NetlinkSession } from './netlink.ts';
import { NftSession } from './nf-tables/nft-session.ts';
import { contractSetSize, pinPortContract } from './pin-port-contract.ts';

function makeSets(): void {
  const sets = [
    ['a', 'ipv4'],
    ['a', 'ipv6'],
    ['b', 'ipv4'],
    ['b', 'ipv6'],
    ['c', 'ipv4'],
  ] as const;
  const nftables: Command[] = [
    { add: { table: { family: 'inet', name: 'mitos' } } },
    { delete: { table: { family: 'inet', name: 'mitos' } } },
    { add: { table: { family: 'inet', name: 'mitos' } } },
    ...sets.map(([tap, family]) => ({
      add: {
        set: {
          family: 'inet',
          table: 'mitos',
          name: `${tap}/pins-${family}`,
          type: [`${family}_addr`, 'inet_proto', 'inet_service'],
          flags: ['timeout'],
          size: contractSetSize,
        },
      },
    })),
  ];
  const netfilter = new NetlinkSession(NETLINK_NETFILTER);
  new NftSession(netfilter).run({ nftables });
  netfilter.close();
}

beforeEach(makeSets);

pinPortContract(() => new KernelPins());

test('finds nothing where there is no table yet, and what is made later', () => {
  run('nft', 'delete', 'table', 'inet', 'mitos');
  const pins = new KernelPins();
  expect([pins.read(), pins.setsOf('a')]).toEqual([[], []]);
  expect(pins.run([{ kind: 'delete-set', tap: 'a', family: 'ipv4' }])).toEqual(['ENOENT']);
  makeSets();
  expect(pins.setsOf('c')).toEqual(['ipv4']);
  pins.close();
});

test('lists what nft(8) lists', () => {
  const pins = new KernelPins();
  pins.run([
    {
      kind: 'add',
      tap: 'a',
      elements: [{ address: '2606:4700::2', protocol: 'udp', port: 53, timeoutMs: 99_000 }],
    },
  ]);
  expect(run('nft', 'list', 'ruleset')).toMatch(/2606:4700::2 \. udp \. 53 timeout 1m39s expires 1m3[0-9]s/);
  pins.close();
});

test('refuses by name without NET_ADMIN', () => {
  const module = fileURLToPath(new URL('./kernel-pins.ts', import.meta.url));
  const code = `import(${JSON.stringify(module)}).then(({ KernelPins }) => new KernelPins()).then(() => console.log('opened'), (error) => console.log(error.code))`;
  const control = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' });
  expect(control.stdout).toBe('opened\n');
  const without = ['--bounding-set=-net_admin', '--inh-caps=-all', process.execPath, '-e', code];
  expect(spawnSync('setpriv', without, { encoding: 'utf8' }).stdout).toBe('no-net-admin\n');
});
