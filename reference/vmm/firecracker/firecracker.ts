/**
 * The adapter `firecracker` of the port of microVMs. Driven here against a stand-in that holds every request to the
 * published API description; it is unsupported(no firecracker binary) where there is none.
 * Invariant: as that of QEMU's. Kernel, initrd, memory and state are descriptors' paths; the guest's memory is not read
 * from outside (Firecracker has no request for it), so there is no host-side witness.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd, isSealed, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { ChannelName } from '#reference/contract/guest-protocol.ts';
import type {
  BootSpec,
  ContentCheck,
  GeneratorState,
  GuestFacts,
  HandedSnapshot,
  LoadedSnapshot,
  Machine,
  PreparedVm,
  RunningVm,
  SealedFile,
  SnapshotManifest,
  VmEnd,
  VmmPort,
  VmPlace,
} from '#reference/contract/vmm-port.ts';
import { ConfinedLauncher, type Launcher, launchPrograms } from '../confinement/confined-launcher.ts';
import { kvmAccess, openPaths } from '../confinement/vmm-paths.ts';
import { canonicalJson, checkEnvironment, type Environment, mismatch } from '../manifest/manifest.ts';
import { adoptSnapshot, loadSnapshot, snapshotOf, storeSnapshot } from '../manifest/snapshot-folder.ts';
import type { StorageKey } from '../manifest/storage-key.ts';
import { hashSealed } from '../sealed-files.ts';
import { firecrackerFault } from './api-client.ts';
import type { ApiRequest } from './api-schemas.ts';
import { FirecrackerProcess, firstFd } from './firecracker-process.ts';

const versionDeadlineMs = 20_000;
const mebi = 1 << 20;
const guestCid = 3;
const vsockPath = 'vsock';
const ofDescriptor = (index: number) => `/proc/self/fd/${firstFd + index}`;

export interface FirecrackerOptions {
  /** The program, and arguments that stand before ours. */
  readonly command: readonly string[];
  readonly launcher: Launcher;
  /** Where each VM has a folder while it runs: short, for the paths of sockets; others may pass through. */
  readonly runFolder: string;
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

/** @throws CodedError `no-firecracker` */
export async function openFirecracker(options: FirecrackerOptions): Promise<VmmPort> {
  return new Firecracker(options, await firecrackerVersion(options.command));
}

/**
 * FIRECRACKER_BIN, confined as QEMU is, but for the sockets that it binds.
 * @param runFolder below it alone
 * @throws CodedError `no-firecracker`, `no-landlock`, `vmm-failed`
 */
export async function openConfinedFirecracker(
  runFolder: string,
  binary: string | undefined = process.env.FIRECRACKER_BIN,
): Promise<VmmPort> {
  if (binary === undefined) {
    throw new CodedError('no-firecracker', 'no Firecracker is named', 'set FIRECRACKER_BIN to the program');
  }
  await firecrackerVersion([binary]);
  const paths = openPaths(binary, 'kvm');
  const launcher = await ConfinedLauncher.start(
    { ...paths, programs: [...launchPrograms, ...paths.programs], sockets: [runFolder] },
    kvmAccess(),
  );
  return openFirecracker({ command: [binary], launcher, runFolder });
}

/** Definition `MachineConfiguration`. `cpuModel` is a template's name, or `None`. */
function machineBody({ cpus, memoryMiB, cpuModel }: Machine) {
  return { vcpu_count: cpus, mem_size_mib: memoryMiB, smt: false, cpu_template: cpuModel };
}

/** @throws CodedError `bad-machine` */
function checkMachine(
  { guestMac, generationId, isDeterministic, volumes }: Machine,
  { tapFd, volumes: given = [] }: VmPlace,
): void {
  const fault =
    guestMac !== null || tapFd !== null
      ? 'Firecracker opens a tap by its name, and here are descriptors only'
      : generationId !== 'fresh'
        ? 'Firecracker gives every guest a fresh generation ID'
        : isDeterministic === true
          ? 'a CPU that runs by itself has no deterministic clock'
          : volumes !== undefined || given.length > 0
            ? 'volumes: Firecracker writes to a drive itself, and has none over it that is a VM’s alone'
            : null;
  if (fault !== null) throw new CodedError('bad-machine', fault, 'use the VMM qemu for this machine');
}

class Firecracker implements VmmPort {
  readonly name = 'firecracker';
  readonly version: string;
  readonly accelerator = 'kvm';
  readonly #options: FirecrackerOptions;
  readonly #environment: Environment;
  readonly #vms = new Set<FirecrackerVm>();
  #isClosed = false;

  constructor(options: FirecrackerOptions, version: string) {
    this.#options = options;
    this.version = version;
    this.#environment = {
      vmm: { name: this.name, version },
      accelerator: this.accelerator,
      argumentsOf: (machine) => [canonicalJson({ ...machineBody(machine), guestMac: machine.guestMac })],
    };
  }

  async boot({ machine, kernel, initrd, commandLine, place }: BootSpec): Promise<RunningVm> {
    checkMachine(machine, place);
    for (const { fd } of [kernel, initrd]) {
      if (!isSealed(fd)) throw firecrackerFault('a kernel and an initrd are booted from sealed memory only');
    }
    const identity: Identity = {
      vmm: this.#environment.vmm,
      accelerator: this.accelerator,
      machine,
      arguments: this.#environment.argumentsOf(machine),
      commandLine,
      kernelSha256: kernel.sha256,
      initrdSha256: initrd.sha256,
    };
    const bootSource = {
      kernel_image_path: ofDescriptor(saved.length),
      initrd_path: ofDescriptor(saved.length + 1),
      boot_args: commandLine,
    };
    const vm = await this.#start(
      identity,
      [kernel.fd, initrd.fd],
      [
        { method: 'PUT', path: '/machine-config', body: machineBody(machine) },
        { method: 'PUT', path: '/boot-source', body: bootSource },
        { method: 'PUT', path: '/vsock', body: { guest_cid: guestCid, uds_path: vsockPath } },
        { method: 'PUT', path: '/actions', body: { action_type: 'InstanceStart' } },
      ],
    );
    vm.connect();
    return vm;
  }

  async prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm> {
    const { manifest, memory, deviceState } = snapshot;
    checkEnvironment(manifest, this.#environment);
    checkMachine(manifest.machine, place);
    for (const [field, { fd }] of Object.entries({ memory, deviceState })) {
      if (!isSealed(fd)) throw mismatch(field, 'is not sealed');
    }
    const body = {
      snapshot_path: ofDescriptor(saved.length + 1),
      mem_backend: { backend_type: 'File', backend_path: ofDescriptor(saved.length) },
      resume_vm: false,
      vsock_override: { uds_path: vsockPath },
    };
    return this.#start(
      manifest,
      [memory.fd, deviceState.fd],
      [{ method: 'PUT', path: '/snapshot/load', body }],
    );
  }

  store(snapshot: LoadedSnapshot, folder: string): Promise<void> {
    return storeSnapshot(snapshot, folder, this.#options.storageKey);
  }

  load(folder: string, digest: string): Promise<LoadedSnapshot> {
    return loadSnapshot(folder, digest, this.#environment, this.#options.storageKey);
  }

  adopt(handed: HandedSnapshot, digest: string, contents: ContentCheck): Promise<LoadedSnapshot> {
    return adoptSnapshot(handed, digest, contents, this.#environment);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#vms].map((vm) => vm.stop()));
    await this.#options.launcher.close();
  }

  async #start(
    identity: Identity,
    fds: readonly number[],
    requests: readonly ApiRequest[],
  ): Promise<FirecrackerVm> {
    if (this.#isClosed) throw firecrackerFault('the VMM is closed');
    const { command, launcher, runFolder } = this.#options;
    const own = saved.map((name) => createMemfd(name)) as [number, number];
    const octets = identity.machine.memoryMiB * mebi;
    const [dataOctets, fileOctets] = [2 * octets + 256 * mebi, octets + 64 * mebi];
    const { cpus } = identity.machine;
    const bounds = { memoryOctets: dataOctets + fileOctets, processes: 32 + cpus, cpus: cpus + 1 };
    const limits = { dataOctets, fileOctets, files: 128, bounds };
    let process: FirecrackerProcess;
    try {
      const folder = join(runFolder, randomUUID().slice(0, 8));
      process = await FirecrackerProcess.start(launcher, { command, limits, folder, fds: [...own, ...fds] });
    } catch (error) {
      for (const fd of own) close(fd);
      throw error;
    }
    const vm = new FirecrackerVm(process, identity, own);
    this.#vms.add(vm);
    void vm.ended.then(() => this.#vms.delete(vm));
    try {
      await process.call(...requests);
      return vm;
    } catch (error) {
      await vm.stop();
      throw error;
    }
  }
}

/** What every process is given first: where its memory and its state go when it is saved. */
const saved = ['memory', 'device-state'] as const;

type Identity = Pick<
  SnapshotManifest,
  'vmm' | 'accelerator' | 'machine' | 'arguments' | 'commandLine' | 'kernelSha256' | 'initrdSha256'
>;

class FirecrackerVm implements RunningVm, PreparedVm {
  readonly id = randomUUID();
  readonly accelerator = 'kvm';
  readonly #process: FirecrackerProcess;
  readonly #identity: Identity;
  /** Memfds of `saved`; empty once they are a snapshot’s, or closed. */
  #own: readonly number[];
  #isConnected = false;
  #stopped: Promise<void> | null = null;

  constructor(process: FirecrackerProcess, identity: Identity, own: readonly [number, number]) {
    this.#process = process;
    this.#identity = identity;
    this.#own = own;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<VmEnd> {
    return this.#process.ended;
  }

  channel(name: ChannelName): Duplex {
    return this.#process.channels[name].stream;
  }

  consoleTail(): string {
    return this.#process.consoleTail();
  }

  connect(): void {
    if (!this.#isConnected) this.#process.connectChannels();
    this.#isConnected = true;
  }

  async resume(): Promise<RunningVm> {
    if (this.#stopped !== null) throw firecrackerFault('the VMM has ended');
    try {
      await this.#process.call({ method: 'PATCH', path: '/vm', body: { state: 'Resumed' } });
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.connect();
    return this;
  }

  async pause(): Promise<PreparedVm> {
    if (this.#stopped !== null) throw firecrackerFault('the VMM has ended');
    try {
      await this.#process.call({ method: 'PATCH', path: '/vm', body: { state: 'Paused' } });
      return this;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async generator(): Promise<GeneratorState | null> {
    return null;
  }

  async save(guest: GuestFacts): Promise<LoadedSnapshot> {
    try {
      const [memoryPath, statePath] = saved.map((_, index) => ofDescriptor(index));
      if (this.#stopped !== null) throw firecrackerFault('the VMM has ended');
      const body = { snapshot_type: 'Full', snapshot_path: statePath, mem_file_path: memoryPath };
      await this.#process.call(
        { method: 'PATCH', path: '/vm', body: { state: 'Paused' } },
        { method: 'PUT', path: '/snapshot/create', body },
      );
      await this.#process.release();
      for (const fd of this.#own) seal(fd);
      const [memory, deviceState] = (await Promise.all(this.#own.map(hashSealed))) as [
        SealedFile,
        SealedFile,
      ];
      if (memory.octets !== this.#identity.machine.memoryMiB * mebi) {
        throw firecrackerFault('the memory that was saved has another length');
      }
      this.#own = [];
      const manifest: SnapshotManifest = {
        format: 1,
        ...this.#identity,
        memory: { sha256: memory.sha256, octets: memory.octets },
        deviceState: { sha256: deviceState.sha256, octets: deviceState.octets },
        guest,
        generatorAddress: null,
        generatorAtSnapshot: null,
      };
      return snapshotOf(manifest, memory, deviceState);
    } finally {
      await this.stop();
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    await this.#process.release();
    for (const fd of this.#own) close(fd);
    this.#own = [];
  }
}
