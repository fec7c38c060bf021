/**
 * The processes of the guest as /proc lists them (proc(5)).
 * Invariant: what ends while it is looked at is left out; kernel threads, ended processes and the agent are none.
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

export interface UserProcess {
  readonly pid: number;
  readonly comm: string;
  /** With the PID it names one process for ever. */
  readonly startTicks: string;
  /** Of the cgroup v2 hierarchy, from its root. */
  readonly cgroup: string;
}

const PF_KTHREAD = 0x00200000;
/** Fields of /proc/PID/stat after the name. */
const fieldState = 0;
const fieldFlags = 6;
const fieldStart = 19;
const gone = ['ENOENT', 'ESRCH'];

/** Used again and again: a buffer for each file would be pages that a fork makes its own. */
const piece = Buffer.alloc(4_096);

/** A file of the kernel's, whole. null: it is gone. */
export function readSmall(path: string): string | null {
  let fd = -1;
  try {
    fd = openSync(path, 'r');
    let text = '';
    for (let read = 1; read > 0; ) {
      read = readSync(fd, piece, 0, piece.length, null);
      text += piece.toString('latin1', 0, read);
    }
    return text;
  } catch (error) {
    if (gone.includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  } finally {
    if (fd !== -1) closeSync(fd);
  }
}

/** Whether anything lives in a cgroup, or in one within it. false: nor is it there. */
export function isPopulated(folder: string): boolean {
  return /^populated 1$/m.test(readSmall(`${folder}/cgroup.events`) ?? '');
}

export function processAt(pid: number): UserProcess | null {
  const stat = readSmall(`/proc/${pid}/stat`);
  const cgroups = readSmall(`/proc/${pid}/cgroup`);
  if (stat === null || cgroups === null) return null;
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const isEnded = fields[fieldState] === 'Z' || fields[fieldState] === 'X';
  if (isEnded || (Number(fields[fieldFlags]) & PF_KTHREAD) !== 0) return null;
  return {
    pid,
    comm: stat.slice(stat.indexOf('(') + 1, end),
    startTicks: fields[fieldStart] ?? '',
    cgroup: /^0::(.*)$/m.exec(cgroups)?.[1] ?? '',
  };
}

export function listProcesses(): UserProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((name) => {
    const found = Number(name) === process.pid ? null : processAt(Number(name));
    return found === null ? [] : [found];
  });
}

export type SignalSet = 'caught' | 'pending';

/** Whether a signal is caught by the process, or waits for it. null: it is gone. */
export function hasSignal(pid: number, set: SignalSet, signal: number): boolean | null {
  const status = readSmall(`/proc/${pid}/status`);
  if (status === null) return null;
  const masks = set === 'caught' ? /^SigCgt:\t([0-9a-f]+)$/gm : /^(?:SigPnd|ShdPnd):\t([0-9a-f]+)$/gm;
  const bit = 1n << BigInt(signal - 1);
  return [...status.matchAll(masks)].some(([, mask]) => (BigInt(`0x${mask}`) & bit) !== 0n);
}
