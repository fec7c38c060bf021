/**
 * The first process of a guest, until it becomes the agent: file systems of the kernel, modules, then the agent as PID 1.
 * Invariant: when anything is missing the guest ends (its kernel panics), so that no half-made guest is ever snapshotted.
 */

const fileSystems = [
  ['proc', 'proc', '/proc'],
  ['sysfs', 'sysfs', '/sys'],
  ['devtmpfs', 'dev', '/dev'],
  ['tmpfs', 'run', '/run'],
  ['tmpfs', 'tmp', '/tmp'],
  ['cgroup2', 'cgroup', '/sys/fs/cgroup'],
] as const;

/** Folders that it mounts on are in the archive already. */
export const mountPoints = ['proc', 'sys', 'dev', 'run', 'tmp'];

/**
 * @param modules paths in the guest, in the order in which they load
 * @param main path of the agent in the guest
 */
export function initScript(modules: readonly string[], main: string): string {
  return [
    '#!/bin/busybox sh',
    'set -e',
    'export PATH=/bin HOME=/ LANG=C',
    ...fileSystems.map(([kind, source, target]) => `busybox mount -t ${kind} ${source} ${target}`),
    ...modules.map((path) => `busybox insmod ${path}`),
    `exec node --disable-warning=ExperimentalWarning ${main}`,
    '',
  ].join('\n');
}
