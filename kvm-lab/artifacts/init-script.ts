/**
 * The first process of a guest, until it becomes the agent: modules, then the agent as PID 1, which mounts the rest.
 * Invariant: when anything is missing the guest ends (its kernel panics): no half-made guest is ever snapshotted.
 */

/** In the archive already, for the agent to mount on. */
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
    // Node asks it for its own path, and for how much memory there is.
    'busybox mount -t proc -o nosuid,nodev,noexec proc /proc',
    ...modules.map((path) => `busybox insmod ${path}`),
    // What is collected before a snapshot, no fork collects.
    `exec node --disable-warning=ExperimentalWarning --expose-gc ${main}`,
    '',
  ].join('\n');
}
