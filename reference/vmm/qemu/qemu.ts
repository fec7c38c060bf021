/**
 * The adapter `qemu` of the port of microVMs.
 * Invariant: a fork runs what was hashed, on the QEMU that saved it, on the machine that it was saved on, or not at
 * all; every QEMU is confined, and all have ended when `close` has.
 */
import { execFile } from 'node:child_process';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type {
  Accelerator,
  BootSpec,
  LoadedSnapshot,
  PreparedVm,
  RunningVm,
  VmmPort,
  VmPlace,
} from '#reference/contract/vmm-port.ts';
import { ConfinedLauncher, launchPrograms } from '../confinement/confined-launcher.ts';
import type { CgroupsPort } from '../confinement/vm-cgroups.ts';
import { kvmAccess, openPaths } from '../confinement/vmm-paths.ts';
import { checkRestorable, identityOf, SnapshotKeeper } from '../manifest/identity.ts';
import type { StorageKey } from '../manifest/storage-key.ts';
import {
  bootArguments,
  descriptors,
  forkArguments,
  limitsOf,
  machineArguments,
  ofDescriptor,
  placeArguments,
} from './arguments.ts';
import { QemuProcess } from './qemu-process.ts';
import { QemuVm } from './qemu-vm.ts';
import { qmpFault } from './qmp.ts';
import { openBackends } from './volume-devices.ts';

const defaultBinary = '/usr/bin/qemu-system-x86_64';
const versionDeadlineMs = 20_000;
const mebi = 1 << 20;
/** Descriptor of the tap: of a boot behind the initrd, of a fork behind the device state. */
const bootTap = descriptors.initrd + 1;
const forkTap = descriptors.deviceState + 1;

/** `7.2.22 (Debian …)`. @throws CodedError `no-qemu` */
export async function qemuVersion(binary = defaultBinary): Promise<string> {
  const fault = (cause?: unknown) =>
    new CodedError('no-qemu', `${binary} does not tell its version`, 'install qemu-system-x86', { cause });
  let said: string;
  try {
    said = (await promisify(execFile)(binary, ['--version'], { timeout: versionDeadlineMs })).stdout;
  } catch (cause) {
    throw fault(cause);
  }
  const version = /^QEMU emulator version (\S[^\n]*)$/m.exec(said)?.[1];
  if (version === undefined) throw fault();
  return version;
}

export interface QemuOptions {
  /** Where each VM has one; closed with the VMM. */
  readonly cgroups?: CgroupsPort | null;
  /** Where what guests write to private volumes lies, in files without a name. */
  readonly overlayFolder?: string;
  /** That snapshots in folders are encrypted with; null: they are not. */
  readonly storageKey?: StorageKey | null;
}

/** @throws CodedError `no-qemu`, `no-landlock`, `vmm-failed` */
export async function openQemu(
  accelerator: Accelerator,
  binary = defaultBinary,
  { cgroups = null, overlayFolder = tmpdir(), storageKey = null }: QemuOptions = {},
): Promise<VmmPort> {
  const version = await qemuVersion(binary);
  const paths = openPaths(binary, accelerator);
  const launcher = await ConfinedLauncher.start(
    { ...paths, programs: [...launchPrograms, ...paths.programs] },
    accelerator === 'kvm' ? kvmAccess() : undefined,
    cgroups,
  );
  return new Qemu(launcher, { binary, overlayFolder, storageKey }, version, accelerator);
}

interface Start {
  readonly machine: BootSpec['machine'];
  readonly place: VmPlace;
  readonly memoryFd: number;
}

class Qemu extends SnapshotKeeper implements VmmPort {
  readonly name = 'qemu';
  readonly version: string;
  readonly accelerator: Accelerator;
  readonly #launcher: ConfinedLauncher;
  readonly #binary: string;
  readonly #overlayFolder: string;
  readonly #vms = new Set<QemuVm>();

  constructor(
    launcher: ConfinedLauncher,
    {
      binary,
      overlayFolder,
      storageKey,
    }: Required<Omit<QemuOptions, 'cgroups'>> & { readonly binary: string },
    version: string,
    accelerator: Accelerator,
  ) {
    super(
      {
        vmm: { name: 'qemu', version },
        accelerator,
        argumentsOf: (machine) => machineArguments(machine, accelerator),
      },
      storageKey,
    );
    this.#launcher = launcher;
    this.#binary = binary;
    this.#overlayFolder = overlayFolder;
    this.version = version;
    this.accelerator = accelerator;
  }

  async boot(spec: BootSpec): Promise<RunningVm> {
    const { machine, kernel, initrd, commandLine, place } = spec;
    const identity = identityOf(this.environment, spec, qmpFault);
    const memory = createMemfd('memory');
    try {
      ftruncateSync(memory, machine.memoryMiB * mebi);
      const tap = tapOf(machine, place, bootTap);
      const qemu = await this.#start(
        { machine, place, memoryFd: memory },
        [
          ...identity.arguments,
          ...placeArguments(machine, true, tap.inChild),
          ...bootArguments(machine, commandLine),
        ],
        [kernel.fd, initrd.fd, ...tap.fds],
      );
      return this.#keep(new QemuVm(qemu, identity, memory, null));
    } catch (error) {
      close(memory);
      throw error;
    }
  }

  async prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm> {
    checkRestorable(snapshot, this.environment);
    const { manifest, memory, deviceState } = snapshot;
    const { machine } = manifest;
    const tap = tapOf(machine, place, forkTap);
    // Opened anew: QEMU reads on from where the description stands, and siblings read at the same time.
    const ownState = openSync(ofDescriptor(deviceState.fd), 'r');
    let qemu: QemuProcess;
    try {
      qemu = await this.#start(
        { machine, place, memoryFd: memory.fd },
        [...manifest.arguments, ...placeArguments(machine, false, tap.inChild), ...forkArguments],
        [ownState, ...tap.fds],
        true,
      );
    } finally {
      closeSync(ownState);
    }
    return this.#keep(new QemuVm(qemu, manifest, null, manifest));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#vms].map((vm) => vm.stop()));
    await this.#launcher.close();
  }

  /** Volumes come behind all other descriptors. */
  async #start(
    { machine, place, memoryFd }: Start,
    parameters: readonly string[],
    fds: readonly number[],
    isFork = false,
  ): Promise<QemuProcess> {
    const [binary, version] = [this.#binary, this.version];
    const limits = limitsOf(machine);
    const volumes = openBackends(machine, place, descriptors.kernel + fds.length, this.#overlayFolder);
    try {
      return await QemuProcess.start(this.#launcher, {
        ...{ binary, version, limits, memoryFd, isFork },
        parameters: [...parameters, ...volumes.parameters],
        furtherFds: [...fds, ...volumes.fds],
      });
    } finally {
      volumes.close();
    }
  }

  #keep(vm: QemuVm): QemuVm {
    this.#vms.add(vm);
    void vm.ended.then(() => this.#vms.delete(vm));
    return vm;
  }
}

/** @throws CodedError `bad-machine` when there is a tap and no eth0 */
function tapOf(
  { guestMac }: BootSpec['machine'],
  { tapFd }: VmPlace,
  inChild: number,
): { readonly fds: readonly number[]; readonly inChild: number | null } {
  if (tapFd === null) return { fds: [], inChild: null };
  if (guestMac !== null) return { fds: [tapFd], inChild };
  throw new CodedError('bad-machine', 'a tap for a machine without eth0', 'give the machine a guestMac');
}
