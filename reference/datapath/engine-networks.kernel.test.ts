/**
 * The networks of an engine, in a namespace that stands for the machine: each guest behind its own datapath, no
 * listener of the machine within reach, nothing left. Needs: tun.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { DnsProxyPort, DnsSandbox } from '../contract/dns-port.ts';
import { EngineNetworks } from './engine-networks.ts';
import { run } from './kernel-ground.ts';

const guestMac = '02:00:00:00:00:02';
const denied = { egress: 'deny', allow: [], inbound: [] } as const;

function open() {
  run('ip', 'link', 'set', 'lo', 'up');
  run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  const attached: { path: string; sandbox: DnsSandbox }[] = [];
  let stopped = 0;
  const networks = new EngineNetworks({
    guestMac,
    startResolver: async (path): Promise<DnsProxyPort> => ({
      attach: async (sandbox) => void attached.push({ path, sandbox }),
      change: async () => undefined,
      detach: async () => undefined,
      metrics: async () => '',
      stop: async () => void stopped++,
    }),
  });
  return { networks, attached, stops: () => stopped };
}

const links = () =>
  run('ip', '-br', 'link')
    .split('\n')
    .flatMap((line) => /^(mitos-\d+)/.exec(line)?.[1] ?? []);
/** Network namespaces that this process holds besides its own. */
const heldNamespaces = () =>
  new Set(
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.startsWith('net:') ? [target] : [];
      } catch {
        return [];
      }
    }),
  ).size;

test('each sandbox has a namespace, an uplink and a resolver of its own, and all of it goes', async () => {
  const before = heldNamespaces();
  const { networks, attached, stops } = open();
  const handles = await Promise.all([1, 2, 3].map((one) => networks.open(`sb-${one}`, denied)));
  expect(links().toSorted()).toEqual(['mitos-0', 'mitos-1', 'mitos-2']);
  expect(new Set(attached.map(({ path }) => path)).size).toBe(3);
  expect(attached[0]?.sandbox.listen).toEqual([{ address: '198.19.255.1', port: 53 }]);
  expect(handles.map(({ guest }) => guest.address)).toEqual(Array(3).fill('198.19.255.2/30'));
  expect(run('nft', 'list', 'table', 'inet', 'mitos-engine')).toContain('"mitos-0"');
  await handles[1]?.close();
  await handles[1]?.close();
  expect(links().toSorted()).toEqual(['mitos-0', 'mitos-2']);
  const again = await networks.open('sb-4', denied);
  expect(links().length).toBe(3);
  expect(again.tapFd).toBeGreaterThan(2);
  await networks.close();
  expect(links()).toEqual([]);
  expect(stops()).toBe(4);
  expect(heldNamespaces()).toBe(before);
  expect(run('nft', 'list', 'tables')).not.toContain('mitos');
});

test('by an uplink no listener of the machine and no other sandbox is reached', async () => {
  const { networks } = open();
  await Promise.all([1, 2].map((one) => networks.open(`sb-${one}`, denied)));
  const rules = run('nft', 'list', 'table', 'inet', 'mitos-engine').replaceAll(/\s+/g, ' ');
  expect(rules).toContain('hook input priority filter - 10; policy accept; iifname @uplinks drop');
  expect(rules).toContain('iifname @uplinks oifname @uplinks drop');
  expect(rules).toContain(
    'oifname @uplinks accept comment "nothing that stays" ip saddr 198.18.0.0/16 masquerade',
  );
  // A second engine would take the uplinks of the first for strangers.
  expect(() => open()).toThrow(expect.objectContaining({ code: 'datapath-taken' }));
  await networks.close();
});

test('a policy that is refused leaves no namespace, uplink or tap', async () => {
  const { networks } = open();
  const wrong = { ...denied, allow: ['not an entry'] };
  await expect(networks.open('sb-1', wrong)).rejects.toMatchObject({ code: 'bad-allow-entry' });
  expect(links()).toEqual([]);
  await networks.close();
});

test('a machine that forwards nothing has no network to give', () => {
  run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
  expect(
    () => new EngineNetworks({ guestMac, startResolver: () => Promise.reject(new Error('none')) }),
  ).toThrow(expect.objectContaining({ code: 'no-network' }));
});
