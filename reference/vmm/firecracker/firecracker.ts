/**
 * The adapter `firecracker` of the port of microVMs. Driven here against a stand-in that holds every request to the
 * published API description; it is unsupported(no firecracker binary) where there is none.
 * Invariant: as that of QEMU's. Kernel, initrd, memory and state are descriptors' paths; the tap is opened by its name,
 * in its network namespace, by the uid of this VM's process alone.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd } from '#reference/base/memfd.ts';
import { isAlive, markOf } from '#reference/base/process-mark.ts';
import { close, fcntl } from '#reference/base/syscalls.ts';
import type {
  BootSpec,
  LoadedSnapshot,
  Machine,
  PreparedVm,
  RunningVm,
  VmmPort,
  VmPlace,
} from '#reference/contract/vmm-port.ts';
import type { Launcher } from '../confinement/confined-launcher.ts';
import { checkRestorable, type Identity, identityOf, SnapshotKeeper } from '../manifest/identity.ts';
import { canonicalJson } from '../manifest/manifest.ts';
import type { StorageKey } from '../manifest/storage-key.ts';
import { firecrackerFault } from './api-client.ts';
import { FirecrackerProcess } from './firecracker-process.ts';
import { FirecrackerVm, generatorOf } from './firecracker-vm.ts';
import { type ApiRequest, bootRequests, loadRequest, machineBody, saved } from './requests.ts';
import { TapPlace } from './tap-place.ts';

const versionDeadlineMs = 20_000;
const defaultStartDeadlineMs = 10_000;
const mebi = 1 << 20;
const F_DUPFD_CLOEXEC = 1030;

export interface FirecrackerOptions {
  /** The program, and arguments that stand before ours. */
  readonly command: readonly string[];
  /** Of VMs without an eth0. */
  readonly launcher: Launcher;
  /** Of a VM with one: what starts processes in that network namespace. The VM's, which closes it. */
  readonly launcherIn: (networkFd: number) => Promise<Launcher>;
  /** Where each VM has a folder while it runs: short, for the paths of sockets; others may pass through. */
  readonly runFolder: string;
  /** Until its process listens: the program does within milliseconds, a stand-in on a busy machine does not. */
  readonly startDeadlineMs?: number;
  /** That snapshots in folders are encrypted with; null or none: they are not. */
  readonly storageKey?: StorageKey | null;
}

/** `v1.13.0`. @throws CodedError `no-firecracker` */
export async function firecrackerVersion([file = '', ...parameters]: readonly string[]): Promise<string> {
  let said = '';
  let cause: unknown;
  try {
    said = (await promisify(execFile)(file, [...parameters, '--version'], { timeout: versionDeadlineMs }))
      .stdout;
  } catch (error) {
    cause = error;
  }
  const version = /^Firecracker (v\S+)$/m.exec(said)?.[1];
  if (version !== undefined) return version;
  const remedy = 'set FIRECRACKER_BIN to the program';
  throw new CodedError('no-firecracker', 'Firecracker does not tell its version', remedy, { cause });
}

/** @throws CodedError `no-firecracker`, `vmm-failed` */
export async function openFirecracker(options: FirecrackerOptions): Promise<VmmPort> {
  const version = await firecrackerVersion(options.command);
  sweep(options.runFolder);
  return new Firecracker(options, version);
}

const folderPattern = /^vm-(\d+)-(\d+)-[0-9a-f]{8}$/;

/** Named after this process: who starts next knows whose it was. */
function newFolder(runFolder: string): string {
  const { pid, started } = markOf(process.pid) ?? { pid: process.pid, started: '0' };
  return join(runFolder, `vm-${pid}-${started}-${randomUUID().slice(0, 8)}`);
}

/** What stays of the VMs of a process that was killed: they ended with it. */
function sweep(runFolder: string): void {
  try {
    for (const name of readdirSync(runFolder)) {
      const [, pid, started = ''] = folderPattern.exec(name) ?? [];
      if (pid === undefined || isAlive({ pid: Number(pid), started })) continue;
      rmSync(join(runFolder, name), { recursive: true, force: true, maxRetries: 10 });
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw firecrackerFault(`the folder of its VMs: ${why}`, error);
  }
}

/** @throws CodedError `bad-machine` */
function checkMachine(
  { generationId, isDeterministic, volumes }: Machine,
  { volumes: given = [] }: Pick<VmPlace, 'volumes'>,
): void {
  const fault =
    generationId !== 'fresh'
      ? 'Firecracker gives every guest a fresh generation ID'
      : isDeterministic === true
        ? 'a CPU that runs by itself has no deterministic clock'
        : volumes !== undefined || given.length > 0
          ? 'volumes: Firecracker writes to a drive itself, and has none over it that is a VM’s alone'
          : null;
  if (fault !== null) throw new CodedError('bad-machine', fault, 'use the VMM qemu for this machine');
}

class Firecracker extends SnapshotKeeper implements VmmPort {
  readonly name = 'firecracker';
  readonly version: string;
  readonly accelerator = 'kvm';
  readonly #options: FirecrackerOptions;
  readonly #vms = new Set<FirecrackerVm>();
  #isClosed = false;

  constructor(options: FirecrackerOptions, version: string) {
    super(
      {
        vmm: { name: 'firecracker', version },
        accelerator: 'kvm',
        argumentsOf: (machine) => [canonicalJson({ ...machineBody(machine), guestMac: machine.guestMac })],
      },
      options.storageKey ?? null,
    );
    this.#options = options;
    this.version = version;
  }

  async boot(spec: BootSpec): Promise<RunningVm> {
    const { machine, kernel, initrd, commandLine, place } = spec;
    checkMachine(machine, place);
    const identity = identityOf(this.environment, spec, firecrackerFault);
    const vm = await this.#start(identity, place, {
      fds: [kernel.fd, initrd.fd],
      requests: (tap) => bootRequests(machine, commandLine, tap),
      snapshot: null,
    });
    vm.connect();
    return vm;
  }

  async prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm> {
    const { manifest, memory, deviceState } = snapshot;
    checkRestorable(snapshot, this.environment);
    checkMachine(manifest.machine, place);
    return this.#start(manifest, place, {
      fds: [memory.fd, deviceState.fd],
      requests: (tap) => [loadRequest(tap)],
      snapshot,
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#vms].map((vm) => vm.stop()));
    await this.#options.launcher.close();
  }

  async #start(
    identity: Identity,
    place: VmPlace,
    { fds, requests, snapshot }: Start,
  ): Promise<FirecrackerVm> {
    if (this.#isClosed) throw firecrackerFault('the VMM is closed');
    const tap = TapPlace.of(identity.machine, place);
    const own = saved.map((name) => createMemfd(name));
    let process: FirecrackerProcess;
    try {
      process = await this.#startProcess(identity.machine, tap, [...own, ...fds]);
    } catch (error) {
      for (const fd of own) close(fd);
      throw error;
    }
    const generator =
      snapshot === null ? null : generatorOf(snapshot, fcntl(snapshot.memory.fd, F_DUPFD_CLOEXEC, 0));
    const vm = new FirecrackerVm(process, identity, own, generator);
    this.#vms.add(vm);
    void vm.ended.then(() => this.#vms.delete(vm));
    try {
      await process.call(...requests(tap?.name ?? null));
      return vm;
    } catch (error) {
      await vm.stop();
      throw error;
    }
  }

  async #startProcess(
    { memoryMiB, cpus }: Machine,
    tap: TapPlace | null,
    fds: readonly number[],
  ): Promise<FirecrackerProcess> {
    const {
      command,
      launcher,
      launcherIn,
      runFolder,
      startDeadlineMs = defaultStartDeadlineMs,
    } = this.#options;
    const octets = memoryMiB * mebi;
    const [dataOctets, fileOctets] = [2 * octets + 256 * mebi, octets + 64 * mebi];
    const bounds = { memoryOctets: dataOctets + fileOctets, processes: 32 + cpus, cpus: cpus + 1 };
    const limits = { dataOctets, fileOctets, files: 128, bounds };
    const folder = newFolder(runFolder);
    let ownLauncher: Launcher | null = null;
    try {
      if (tap !== null) ownLauncher = await launcherIn(tap.networkFd);
    } catch (error) {
      tap?.release();
      throw error;
    }
    return FirecrackerProcess.start(launcher, {
      ...{ command, limits, folder, fds, tap, ownLauncher, startDeadlineMs },
    });
  }
}

interface Start {
  /** Behind those of `saved`. */
  readonly fds: readonly number[];
  readonly requests: (tap: string | null) => readonly ApiRequest[];
  /** That it is a fork of. */
  readonly snapshot: LoadedSnapshot | null;
}
