/**
 * Starts processes that are held to what a VMM needs: Landlock, a seccomp filter, no_new_privs, no capabilities,
 * limits, a uid of its own where this process may give one, descriptors and nothing else.
 * Invariant: no process is started that is not so held, and none outlives this one.
 */
import { chownSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CodedError } from '#reference/base/coded-error.ts';
import { close, send, socketPair } from '#reference/base/syscalls.ts';
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
  /** The child's descriptors 1, 2, 3 …; 0 is /dev/null. */
  readonly fds: readonly number[];
  /** Where it starts. */
  readonly folder: string;
  /** A descriptor that says a line when it may become the program; null: at once. */
  readonly heldBy: number | null;
}

/** What the thread is started with. */
export interface LaunchGround {
  readonly paths: OpenPaths;
  readonly networkFd: number | null;
}

export type LaunchReport =
  | { readonly kind: 'confined' }
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  | {
      readonly kind: 'ended';
      readonly id: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

export interface LaunchedProcess {
  readonly pid: number;
  readonly ended: Promise<VmEnd>;
  /** SIGKILL. */
  kill(): void;
}

const prlimit = '/usr/bin/prlimit';
const shell = '/bin/sh';
/** What a process is started through. */
export const launchPrograms: readonly string[] = [prlimit, setpriv, shell];
const startDeadlineMs = 20_000;

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
  /** Of those that have ended. */
  #cgroupsGone: Promise<unknown> = Promise.resolve();

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
    const hold = cgroup === null ? null : socketPair();
    const uid = this.#device.byOthers ? privileges().takeUid() : null;
    try {
      if (uid !== null && folder !== '/') chownSync(folder, uid, uid);
      owned(uid ?? process.getuid?.() ?? 0);
    } catch (cause) {
      for (const one of hold ?? []) close(one);
      privileges().giveBackUid(uid);
      start.promise.catch(() => undefined);
      this.#end(id, null, null);
      throw cause;
    }
    const order: LaunchOrder = {
      id,
      argv: [
        ...limited(limits, uid !== null),
        ...privileges().drop(uid, this.#device.groups),
        ...(cgroup === null ? unlessOrphaned : onceLetGo),
        ...program,
      ],
      fds,
      folder,
      heldBy: hold?.[1] ?? null,
    };
    void end.promise.then(() => privileges().giveBackUid(uid));
    this.#thread.postMessage(order);
    try {
      const pid = await start.promise;
      // It is the program only in its cgroup, or not at all.
      cgroup?.take(pid);
      if (hold !== null) send(hold[0], Buffer.from('\n'), MSG_NOSIGNAL);
      return { pid, ended: end.promise, kill: () => this.#kill(id, pid) };
    } catch (cause) {
      const { pid = null } = this.#launched.get(id) ?? {};
      if (pid !== null) this.#kill(id, pid);
      throw launchFault(`${program[0]} cannot be started`, cause);
    } finally {
      for (const one of hold ?? []) close(one);
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
    await this.#cgroupsGone;
    await this.#cgroups?.close();
  }

  #report(report: LaunchReport): void {
    if (report.kind === 'confined') return;
    const launched = this.#launched.get(report.id);
    if (launched === undefined) return;
    switch (report.kind) {
      case 'started':
        launched.pid = report.pid;
        launched.started(report.pid);
        return;
      case 'failed':
        launched.failed(new Error(report.reason));
        this.#end(report.id, null, null);
        return;
      default:
        this.#end(report.id, report.code, report.signal);
    }
  }

  #end(id: number, code: number | null, signal: string | null): void {
    const launched = this.#launched.get(id);
    this.#launched.delete(id);
    launched?.failed(new Error('it ended at once'));
    const end: VmEnd = { kind: 'exited', code, signal };
    const { cgroup = null, ended } = launched ?? {};
    if (cgroup === null) ended?.(end);
    else this.#cgroupsGone = Promise.all([this.#cgroupsGone, removed(cgroup).then(() => ended?.(end))]);
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

  /** They die with the thread: the kernel kills them. */
  #lost(cause: Error): void {
    this.#closed = true;
    for (const [id, launched] of this.#launched) {
      launched.failed(cause);
      this.#end(id, null, 'SIGKILL');
    }
  }
}

/** What is left of it is taken away at the next start. */
async function removed(cgroup: VmCgroup): Promise<void> {
  await cgroup.remove().catch((error: unknown) => process.emitWarning(`${cgroup.folder} is left: ${error}`));
}

/** In the words of prlimit(1); nothing is dumped, ever. @param isAlone nobody else has its uid */
function limited({ dataOctets, fileOctets, files, bounds }: ProcessLimits, isAlone: boolean): string[] {
  const threads = isAlone && bounds !== undefined ? [`--nproc=${bounds.processes}`] : [];
  return [
    ...[prlimit, '--core=0', `--data=${dataOctets}`, `--fsize=${fileOctets}`, `--nofile=${files}`],
    ...[...threads, '--'],
  ];
}

/**
 * Whose parent ended before it could be tied to it has another parent by now, and ends here.
 */
const unlessOrphaned = [shell, '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)];

/** As above, after a line that says that it is where it shall be; nobody tells it more. */
const onceLetGo = [
  ...[shell, '-c', 'read -r _ && [ "$PPID" = "$0" ] && exec "$@" < /dev/null', String(process.pid)],
];

function launchFault(message: string, cause?: unknown): CodedError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new CodedError('vmm-failed', `${message}${why}`, 'see that util-linux and QEMU are installed', {
    cause,
  });
}
