/**
 * The first steps of PID 1: what every program expects to be mounted, and what the agent itself needs.
 * Invariant: what is mounted already is left as it is, so that an init before the agent may do it too.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { bootIdFile, sandboxFolder } from './guest-files.ts';
import type { SystemCalls } from './system-calls.ts';

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_BIND = 4096;
const ipv6Settings = '/proc/sys/net/ipv6/conf';
const bootId = '/proc/sys/kernel/random/boot_id';

interface Mount {
  readonly path: string;
  readonly kind: string;
  readonly flags: number;
  readonly data: string;
}

/** In this order. */
const mounts: readonly Mount[] = [
  { path: '/proc', kind: 'proc', flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, data: '' },
  { path: '/sys', kind: 'sysfs', flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, data: '' },
  { path: '/dev', kind: 'devtmpfs', flags: MS_NOSUID, data: 'mode=0755' },
  { path: '/dev/pts', kind: 'devpts', flags: MS_NOSUID | MS_NOEXEC, data: 'mode=0620,ptmxmode=0666' },
  { path: '/dev/shm', kind: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data: 'mode=1777' },
  { path: '/run', kind: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data: 'mode=0755' },
  { path: '/tmp', kind: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data: 'mode=1777' },
  { path: '/sys/fs/cgroup', kind: 'cgroup2', flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, data: '' },
];

const devices: readonly [name: string, target: string][] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
];

/** Path → kind of what is mounted there; the last one counts. */
function mounted(): Map<string, string> {
  if (!existsSync('/proc/self/mounts')) return new Map();
  const lines = readFileSync('/proc/self/mounts', 'latin1').trim().split('\n');
  return new Map(lines.map((line) => line.split(' ')).map(([, path = '', kind = '']) => [path, kind]));
}

export function earlyInit(calls: Pick<SystemCalls, 'mount'>): void {
  for (const { path, kind, flags, data } of mounts) {
    if (mounted().get(path) === kind) continue;
    mkdirSync(path, { recursive: true });
    calls.mount(kind, path, kind, flags, data);
  }
  for (const [name, target] of devices) {
    if (!existsSync(name)) symlinkSync(target, name);
  }
  ignoreRouterAdvertisements();
  showOwnBootId(calls);
}

/** Addresses and routes are those that a fork is given, and nobody else's: of links that are there and that come. */
function ignoreRouterAdvertisements(): void {
  if (!existsSync(ipv6Settings)) return;
  for (const link of readdirSync(ipv6Settings)) {
    for (const setting of ['accept_ra', 'autoconf', 'accept_redirects']) {
      writeFileSync(`${ipv6Settings}/${link}/${setting}`, '0');
    }
  }
}

/** The kernel's is the same in every fork: over it stands a file that a fork writes anew. */
function showOwnBootId(calls: Pick<SystemCalls, 'mount'>): void {
  mkdirSync(sandboxFolder, { recursive: true, mode: 0o755 });
  writeFileSync(bootIdFile, readFileSync(bootId), { mode: 0o444 });
  calls.mount(bootIdFile, bootId, '', MS_BIND, '');
}
