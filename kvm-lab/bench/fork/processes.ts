/** What /proc says of a VMM's process: processor time to the microsecond, and the memory that is its alone. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of all its threads that are alive, from before it became the VMM. Milliseconds; one that has ended: 0. */
export function processorMs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  try {
    const threads = readdirSync(folder).map((thread) =>
      readFileSync(`${folder}/${thread}/schedstat`, 'latin1'),
    );
    return threads.reduce((sum, line) => sum + Number(line.split(' ')[0]), 0) / 1e6;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
    throw error;
  }
}

/** This process and its threads, milliseconds. */
export function ownProcessorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

export interface PrivateMemory {
  /** Of the guest's memory, what the fork has written and holds for itself. */
  readonly guestKib: number;
  /** Of all that the process has mapped: the VMM's own heap and translated code besides. */
  readonly processKib: number;
}

/**
 * `Anonymous` in smaps: pages that were copied on write, or are of no file. `Private_Dirty` would count pages of the
 * snapshot too, as long as only one process has them mapped.
 */
export function privateMemory(pid: number): PrivateMemory {
  let [guestKib, processKib, isGuest] = [0, 0, false];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isGuest = line.includes('/memfd:memory');
    const kib = Number(/^Anonymous:\s+(\d+) kB$/.exec(line)?.[1] ?? 0);
    processKib += kib;
    if (isGuest) guestKib += kib;
  }
  return { guestKib, processKib };
}

/** Processes below this one that run QEMU. */
export function ownVmms(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return parent === process.pid && stat.includes('(qemu') ? [Number(name)] : [];
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
}
