/**
 * Starts processes that are held to what a VMM needs: Landlock, a seccomp filter, no_new_privs, no capabilities,
 * limits, a uid of its own where this process may give one, descriptors and nothing else.
 * Invariant: no process is started that is not so held, and none outlives this one.
 */
import { chownSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CodedError } from '#reference/base/coded-error.ts';
import { type ProgramEnd, programEnd } from '#reference/base/started-program.ts';
import { close, send, socketPair } from '#reference/base/syscalls.ts';
import { within } from '#reference/base/within.ts';
import type { VmEnd } from '#reference/contract/vmm-port.ts';
import { landlockVersion, type OpenPaths } from './landlock.ts';
import { type DeviceAccess, privileges, setpriv } from './privileges.ts';
import type { CgroupsPort, VmBounds, VmCgroup } from './vm-cgroups.ts';

export interface ProcessLimits {
  /** Private memory that it may write, mapped or not. */
  readonly dataOctets: number;
  /** Of any file that it writes, sealed or not. */
  readonly fileOctets: number;
  readonly files: number;
  /** Of its cgroup, where there is one; its threads are bounded by its uid else, when it has one of its own. */
  readonly bounds?: VmBounds;
}

export interface LaunchOrder {
  readonly id: number;
  readonly argv: readonly string[];
  /** The child's descriptors 0, 1, 2 …; the first says a line when it may become the program. */
  readonly fds: readonly number[];
  /** Where it starts. */
  readonly folder: string;
}

/** What the thread is started with. */
export interface LaunchGround {
  readonly paths: OpenPaths;
  readonly networkFd: number | null;
}

export type LaunchReport =
  | { readonly kind: 'confined' }
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };

export interface LaunchedProcess {
  readonly pid: number;
  readonly ended: Promise<VmEnd>;
  /** SIGKILL. */
  kill(): void;
}

const shell = '/bin/sh';
/** What a process is started through. */
export const launchPrograms: readonly string[] = [setpriv, shell];
const startDeadlineMs = 20_000;
const endDeadlineMs = 10_000;

const MSG_NOSIGNAL = 0x4000;

const noDevice: DeviceAccess = { byOthers: true, groups: [] };

interface Launched {
  /** null: not started yet. */
  pid: number | null;
  readonly started: (pid: number) => void;
  readonly failed: (cause: Error) => void;
  readonly ended: (end: VmEnd) => void;
  readonly cgroup: VmCgroup | null;
}

/** Starts processes: confined ones, but for a test's. */
export interface Launcher {
  /**
   * @param program absolute path and arguments
   * @param fds the child's descriptors 1, 2, 3 …; they stay the caller's
   * @param folder where it starts; another one than / is given to its uid
   * @param owned told its uid before it is started
   * @throws CodedError `vmm-failed`, and what `owned` throws
   */
  launch(
    program: readonly string[],
    fds: readonly number[],
    limits: ProcessLimits,
    folder?: string,
    owned?: (uid: number) => void,
  ): Promise<LaunchedProcess>;
  /** What it started is killed. */
  close(): Promise<void>;
}

export class ConfinedLauncher implements Launcher {
  readonly #thread: Worker;
  readonly #launched = new Map<number, Launched>();
  #nextId = 1;
  #closed = false;
  /** Of all that were started: they have ended, and their cgroups are gone. */
  readonly #ends = new Set<Promise<VmEnd>>();

  readonly #device: DeviceAccess;
  readonly #cgroups: CgroupsPort | null;

  private constructor(thread: Worker, device: DeviceAccess, cgroups: CgroupsPort | null) {
    this.#thread = thread;
    this.#device = device;
    this.#cgroups = cgroups;
    thread.on('message', (report: LaunchReport) => this.#report(report));
    thread.once('error', (cause) => this.#lost(cause));
    thread.once('exit', () => this.#lost(new Error('the thread ended')));
    // A launcher that nobody closes keeps no process alive.
    thread.unref();
  }

  /**
   * @param device how the one device that all of them open can be opened
   * @param cgroups where each has one; closed with the launcher
   * @param networkFd of the network namespace that all of them stand in, entered before the thread is confined; null:
   * this one
   * @throws CodedError `no-landlock`, `vmm-failed`
   */
  static async start(
    paths: OpenPaths,
    device: DeviceAccess = noDevice,
    cgroups: CgroupsPort | null = null,
    networkFd: number | null = null,
  ): Promise<ConfinedLauncher> {
    landlockVersion();
    const workerData: LaunchGround = { paths, networkFd };
    const thread = new Worker(new URL('./launch-thread.ts', import.meta.url), { workerData, env: {} });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('it is not confined in time')), startDeadlineMs);
    thread.once('message', () => resolve());
    thread.once('error', reject);
    try {
      await promise;
    } catch (cause) {
      await thread.terminate();
      throw launchFault('the thread that starts VMMs cannot be confined', cause);
    } finally {
      clearTimeout(timer);
      thread.removeListener('error', reject);
    }
    return new ConfinedLauncher(thread, device, cgroups);
  }

  async launch(
    program: readonly string[],
    fds: readonly number[],
    limits: ProcessLimits,
    folder = '/',
    owned: (uid: number) => void = () => undefined,
  ): Promise<LaunchedProcess> {
    if (this.#closed) throw launchFault('the launcher is closed');
    const id = this.#nextId++;
    const start = Promise.withResolvers<number>();
    const end = Promise.withResolvers<VmEnd>();
    const cgroup = this.#cgroupFor(limits);
    this.#launched.set(id, {
      ...{ pid: null, started: start.resolve, failed: start.reject, ended: end.resolve, cgroup },
    });
    const hold = socketPair();
    const uid = this.#device.byOthers ? privileges().takeUid() : null;
    this.#ends.add(end.promise);
    void end.promise.then(() => {
      this.#ends.delete(end.promise);
      privileges().giveBackUid(uid);
    });
    try {
      if (uid !== null && folder !== '/') chownSync(folder, uid, uid);
      owned(uid ?? process.getuid?.() ?? 0);
    } catch (cause) {
      for (const one of hold) close(one);
      start.promise.catch(() => undefined);
      this.#end(id, { code: null, signal: null });
      throw cause;
    }
    const becoming = [shell, '-c', onceLetGo(limits, uid !== null), String(process.pid), ...program];
    const argv = [...privileges().drop(uid, this.#device.groups), ...becoming];
    this.#thread.postMessage({ id, argv, fds: [hold[1], ...fds], folder } satisfies LaunchOrder);
    try {
      const pid = await start.promise;
      // It is the program only in its cgroup, or not at all.
      cgroup?.take(pid);
      send(hold[0], Buffer.from('\n'), MSG_NOSIGNAL);
      return { pid, ended: end.promise, kill: () => this.#kill(id, pid) };
    } catch (cause) {
      const { pid = null } = this.#launched.get(id) ?? {};
      if (pid !== null) this.#kill(id, pid);
      throw launchFault(`${program[0]} cannot be started`, cause);
    } finally {
      for (const one of hold) close(one);
    }
  }

  #cgroupFor({ bounds }: ProcessLimits): VmCgroup | null {
    if (this.#cgroups === null || bounds === undefined) return null;
    try {
      return this.#cgroups.make(bounds);
    } catch (cause) {
      throw launchFault('a VMM cannot have its cgroup', cause);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const [id, { pid }] of this.#launched) if (pid !== null) this.#kill(id, pid);
    await this.#thread.terminate();
    const late = () => launchFault('a VMM does not end');
    await within(Promise.all(this.#ends), endDeadlineMs, late);
    await this.#cgroups?.close();
  }

  #report(report: LaunchReport): void {
    if (report.kind === 'confined') return;
    const launched = this.#launched.get(report.id);
    if (report.kind === 'failed') {
      launched?.failed(new Error(report.reason));
      this.#end(report.id, { code: null, signal: null });
      return;
    }
    const { id, pid } = report;
    void programEnd(pid).then((end) => this.#end(id, end));
    if (launched === undefined) return;
    launched.pid = pid;
    launched.started(pid);
  }

  #end(id: number, how: ProgramEnd): void {
    const launched = this.#launched.get(id);
    this.#launched.delete(id);
    launched?.failed(new Error('it ended at once'));
    const end: VmEnd = { kind: 'exited', ...how };
    const { cgroup = null, ended } = launched ?? {};
    if (cgroup === null) ended?.(end);
    else void removed(cgroup).then(() => ended?.(end));
  }

  /** By pid only while nobody was told that it has ended: until then the pid is its own. */
  #kill(id: number, pid: number): void {
    if (!this.#launched.has(id)) return;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** They die with the thread: the kernel kills them, those that were tied to it already. */
  #lost(cause: Error): void {
    this.#closed = true;
    for (const [id, { pid, failed }] of this.#launched) {
      failed(cause);
      if (pid === null) this.#end(id, { code: null, signal: null });
      else this.#kill(id, pid);
    }
  }
}

/** What is left of it is taken away at the next start. */
async function removed(cgroup: VmCgroup): Promise<void> {
  await cgroup.remove().catch((error: unknown) => process.emitWarning(`${cgroup.folder} is left: ${error}`));
}

/**
 * The shell's last words before it is the program: after a line that says that it is where it shall be, unless its
 * parent ended before it could be tied to it and it has another one by now. Nothing is dumped, ever.
 * @param isAlone nobody else has its uid
 */
function onceLetGo({ dataOctets, fileOctets, files, bounds }: ProcessLimits, isAlone: boolean): string {
  // POSIX knows the unit of the third alone, and shells agree on that of the second.
  const limits = [
    'ulimit -c 0',
    `ulimit -d ${Math.ceil(dataOctets / 1_024)}`,
    `ulimit -f ${Math.ceil(fileOctets / 512)}`,
    `ulimit -n ${files}`,
  ];
  if (isAlone && bounds !== undefined) {
    // Processes: bash and dash have different letters for them.
    limits.push(`{ ulimit -u ${bounds.processes} 2> /dev/null || ulimit -p ${bounds.processes}; }`);
  }
  return ['read -r _', ...limits, '[ "$PPID" = "$0" ]', 'exec "$@" < /dev/null'].join(' && ');
}

function launchFault(message: string, cause?: unknown): CodedError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new CodedError('vmm-failed', `${message}${why}`, 'see that util-linux and QEMU are installed', {
    cause,
  });
}
