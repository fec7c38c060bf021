/**
 * Processes by pid and start: a pid alone is somebody else's after a while.
 * Invariant: who is ended is the process that was marked, or nobody.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly started: string;
}

/** null: there is none, or it is a zombie. */
export function markOf(pid: number): ProcessMark | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (
      (error as NodeJS.ErrnoException).code === 'ENOENT' ||
      (error as NodeJS.ErrnoException).code === 'ESRCH'
    ) {
      return null;
    }
    throw error;
  }
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const started = fields[19];
  return state === 'Z' || state === 'X' || started === undefined ? null : { pid, started };
}

/** Another process with its number does not keep it alive. */
export const isAlive = ({ pid, started }: ProcessMark) => markOf(pid)?.started === started;

/** false: it lives on after the deadline. */
export async function endMarked(mark: ProcessMark, deadlineMs: number): Promise<boolean> {
  const until = performance.now() + deadlineMs;
  while (isAlive(mark)) {
    process.kill(mark.pid, 'SIGKILL');
    if (performance.now() > until) return false;
    await pause(5);
  }
  return true;
}
