/** Taps and addresses on the kernel: what is missing or taken has a name. Needs: tun. */
import { beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import { addAddress, meaningOf } from './address.ts';
import { layGround, run } from './kernel-ground.ts';
import { createTap, deleteLink, findLink, linkNamed, prepareTap } from './link.ts';
import { NETLINK_ROUTE, NetlinkSession } from './netlink.ts';

const coded = (code: string) => expect.objectContaining({ code });
const route = new NetlinkSession(NETLINK_ROUTE);

beforeAll(layGround);

test('a tap is made down; its name is taken then, and free when it was deleted', () => {
  const fd = createTap('tap-0');
  const link = linkNamed(route, 'tap-0');
  expect(link).toMatchObject({ name: 'tap-0', up: false, kind: 'tun' });
  expect(() => createTap('tap-0')).toThrow(coded('tap-taken'));
  expect(() => createTap('up0')).toThrow(coded('tap-taken'));
  expect(deleteLink(route, link.index)).toBe(true);
  expect(deleteLink(route, link.index)).toBe(false);
  expect(findLink(route, 'tap-0')).toBe(null);
  expect(() => linkNamed(route, 'tap-0')).toThrow(coded('no-interface'));
  close(fd);
});

test('sysctls of the tap stand before it is up, and it makes no IPv6 address of its own', () => {
  const fd = createTap('tap-0');
  const { index } = linkNamed(route, 'tap-0');
  prepareTap(route, index, '02:00:00:00:00:01');
  const value = (name: string) => run('cat', `/proc/sys/net/ipv4/conf/tap-0/${name}`).trim();
  const wanted = {
    forwarding: '1',
    rp_filter: '1',
    accept_redirects: '0',
    arp_ignore: '1',
    proxy_arp: '0',
    route_localnet: '0',
  };
  for (const [name, is] of Object.entries(wanted)) expect(value(name), name).toBe(is);
  run('ip', 'link', 'set', 'tap-0', 'up');
  expect(run('ip', '-6', '-br', 'address', 'show', 'dev', 'tap-0')).not.toContain('fe80');
  close(fd);
});

test('what an address means already', () => {
  expect(meaningOf(route, '192.0.2.10')).toBe('own');
  expect(meaningOf(route, '192.0.2.77')).toBe('on-link');
  expect(meaningOf(route, '8.8.8.8')).toBe('elsewhere');
  expect(meaningOf(route, 'fd00:77::1')).toBe('elsewhere');
  expect(() => meaningOf(route, '8.8.8')).toThrow(coded('bad-address'));
  expect(() => addAddress(route, 1, 'x', 32)).toThrow(coded('bad-address'));
});

test('without /dev/net/tun there is no tap, and the error says so', () => {
  // Only where the mount is ours alone.
  expect(process.env.OWN_MOUNTS, 'run it by pnpm test:kernel').toBe('1');
  run('mount', '-t', 'tmpfs', 'none', '/dev/net');
  try {
    expect(() => createTap('tap-0')).toThrow(coded('no-tun'));
  } finally {
    run('umount', '/dev/net');
  }
});
