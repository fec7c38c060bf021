/**
 * Whose a thing is that outlives `kill -9`: a mark of one process of one boot, carried in names and labels.
 * Invariant: a mark is `gone` only when that very process is; another with its number does not keep it alive,
 * and what cannot be known from here is never taken.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export type OwnerState = 'running' | 'gone' | 'unknown';

/** In the environment of what a run starts, and so of everything that those start. */
export const ownerVariable = 'HUSKPROOF_OWNER';

const pattern = /^([0-9a-f]{8})\.(\d+)\.(\d+)\.(\d+)$/;

/** Of the machine's boot; start times and numbers of processes mean nothing beyond it. */
function boot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
}

/** Numbers of processes are of a namespace. */
function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
}

/** Clock ticks between boot and the start of a process, or null when there is none or only its remains. */
function startOf(pid: string): string | null {
  try {
    // The name is in parentheses, and may hold anything.
    const [state, ...rest] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' || state === 'X' ? null : (rest[18] ?? null);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

export function ownerMark(pid: number = process.pid): string {
  return `${boot()}.${pidNamespace()}.${pid}.${startOf(`${pid}`) ?? 0}`;
}

/** For what a run starts: a process that outlives the run is found by it. */
export const markedEnvironment = () => ({ ...process.env, [ownerVariable]: ownerMark() });

/** `text` may come from anybody. */
export function ownerState(text: string): OwnerState {
  const [, ofBoot, namespace, pid = '', start] = pattern.exec(text) ?? [];
  if (ofBoot === undefined) return 'unknown';
  if (ofBoot !== boot()) return 'gone';
  if (namespace !== pidNamespace()) return 'unknown';
  return startOf(pid) === start ? 'running' : 'gone';
}

/** CLK_TCK, what /proc counts time in: 100 on every architecture that Linux has now (sysconf(3)). */
const ticksPerSecond = 100;

/** When the process of a mark began, to the second; null when that was before this boot, or the text is no mark. */
export function ownerStart(text: string): Date | null {
  const [, ofBoot, , , ticks] = pattern.exec(text) ?? [];
  const [, bootSecond] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1')) ?? [];
  if (ofBoot !== boot() || bootSecond === undefined) return null;
  return new Date((Number(bootSecond) + Math.floor(Number(ticks) / ticksPerSecond)) * 1000);
}
