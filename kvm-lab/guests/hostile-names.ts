/** Where a guest's hostile root is found: its name as a process, its pipes, and the program that leads to them. */

/** As in /proc/PID/comm. */
export const hostileComm = 'hostile-root';
export const pipes = {
  toGuest: '/run/to-hostile-root',
  fromGuest: '/run/from-hostile-root',
  /** There once it listens. */
  ready: '/run/hostile-root-is-ready',
} as const;
/**
 * Started by the agent, once a fork was released: what is written to it goes there, what comes back is its output.
 * Not by cat(1): busybox's splices, and holds the pipe for itself for as long as nothing comes.
 */
export const bridge = [
  '/bin/sh',
  '-c',
  `cat ${pipes.fromGuest} & exec dd bs=65536 of=${pipes.toGuest} 2>/dev/null`,
] as const;
