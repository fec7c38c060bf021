/**
 * What forkd, husk and sandbox-server ask of a virtual machine monitor: boot a template, save it, fork it.
 * Invariant: what runs in a fork are the octets that were hashed; a VM never outlives the process that started it, and
 * when `stop` has ended nothing of it is left.
 */
import type { Duplex } from 'node:stream';
import type { ChannelName } from './guest-protocol.ts';

/** How the guest's instructions are run: found by a probe boot, said in every record. */
export type Accelerator = 'kvm' | 'tcg';

export interface Machine {
  readonly memoryMiB: number;
  readonly cpus: number;
  /** As the VMM names it. Part of the snapshot's identity. */
  readonly cpuModel: string;
  /** MAC of eth0, the same in all forks (each is alone behind its tap); null: there is no eth0. */
  readonly guestMac: string | null;
  /** A fresh VM generation ID in every fork, none at all, or (for experiments) the same one in all. */
  readonly generationId: 'fresh' | 'none' | 'stale';
  /** Instructions count time (QEMU `-icount`): for experiments that need a deterministic clock. */
  readonly isDeterministic?: true;
  /** Block devices, the same in a template and all its forks; what is in them is each fork's. */
  readonly volumes?: readonly VolumeSlot[];
}

/** A place for a volume. While there is none in it, it reads as zeros. */
export interface VolumeSlot {
  /** 1 to 20 of A-Z a-z 0-9 _ -: what the guest finds it by. */
  readonly serial: string;
  /** Of every volume that comes into it: a multiple of 512, at most 64 GiB. */
  readonly octets: number;
  /**
   * `private`: what the guest writes is this VM's alone, in a file without a name that is gone with it; the volume
   * itself is never written. `readonly`: it is not written at all.
   */
  readonly access: 'readonly' | 'private';
}

/** What is in a slot of one VM. */
export interface Volume {
  readonly serial: string;
  /** A regular file or memfd, as long as its slot says; stays the caller's, who keeps it from changing meanwhile. */
  readonly fd: number;
}

/** A boot from cold: the start of a template. */
export interface BootSpec {
  readonly machine: Machine;
  /** Opened through kernel-digest: descriptors of sealed memory, never paths. */
  readonly kernel: SealedFile;
  readonly initrd: SealedFile;
  readonly commandLine: string;
  readonly place: VmPlace;
}

/** A memfd with all seals, and the digest of what it holds. */
export interface SealedFile {
  readonly fd: number;
  readonly sha256: string;
  readonly octets: number;
}

/** What is of one VM alone. */
export interface VmPlace {
  /**
   * The VMM's end of the tap that eth0 is (`DatapathPort.open`), which stays the caller's to close; null: the cable
   * leads nowhere. A VMM that opens the tap itself, by its name, stands in its network namespace and has the tap from
   * then on: the descriptor, which has to be the only one, is of /dev/null afterwards. Any other stands in no network.
   */
  readonly tapFd: number | null;
  /** None: every slot is empty. */
  readonly volumes?: readonly Volume[];
}

/** What only the guest can say of itself, asked before the snapshot, while it is still the template's author's. */
export interface GuestFacts {
  /** Versions of `notify_forked` that the agent speaks. */
  readonly protocolVersions: readonly number[];
  /** As `uname -r` prints it: the generator's layout hangs on it. */
  readonly kernelRelease: string;
  /** Of `base_crng` in /proc/kallsyms, 16 hex digits; null: not known, and there is no host-side witness. */
  readonly generatorSymbol: string | null;
}

/** Everything that has to be the same for a snapshot to be the same: its digest is the snapshot's name. */
export interface SnapshotManifest {
  readonly format: 1;
  readonly vmm: { readonly name: 'qemu' | 'firecracker'; readonly version: string };
  readonly accelerator: Accelerator;
  readonly machine: Machine;
  /** argv of the VMM without what is of one VM alone (sockets, descriptors, tap). */
  readonly arguments: readonly string[];
  readonly commandLine: string;
  readonly kernelSha256: string;
  readonly initrdSha256: string;
  readonly memory: { readonly sha256: string; readonly octets: number };
  readonly deviceState: { readonly sha256: string; readonly octets: number };
  readonly guest: GuestFacts;
  /** Where the kernel's `base_crng` lies in guest-physical memory, hex; null: not known. */
  readonly generatorAddress: string | null;
  /** What the generator held at the snapshot: a fork's must differ. */
  readonly generatorAtSnapshot: GeneratorState | null;
}

/** Read of the guest's kernel by the VMM, which no guest can fake without a kernel of its own. */
export interface GeneratorState {
  readonly generation: string;
  /** SHA-256 of the key. */
  readonly keySha256: string;
}

/** In sealed memory: what was hashed is what is run. */
export interface LoadedSnapshot {
  /** SHA-256 of the manifest's canonical JSON. */
  readonly digest: string;
  readonly manifest: SnapshotManifest;
  readonly memory: SealedFile;
  readonly deviceState: SealedFile;
  /** Closes its descriptors; forks that run go on. */
  close(): void;
}

/** What another process of this node handed over: descriptors, and what it says of them. */
export interface HandedSnapshot {
  /** Canonical JSON. */
  readonly manifest: string;
  readonly memory: number;
  readonly deviceState: number;
}

export type VmEnd = { readonly kind: 'exited'; readonly code: number | null; readonly signal: string | null };

export interface RunningVm {
  readonly id: string;
  /** Of the VMM's process. */
  readonly pid: number;
  readonly accelerator: Accelerator;
  /** Connected; what the guest wrote before anybody read waits in it, bounded. */
  channel(name: ChannelName): Duplex;
  /** What the guest printed on its console, the last 64 KiB of it. */
  consoleTail(): string;
  /** Read anew at each call; null when the address is not known. @throws CodedError `vmm-failed` */
  generator(): Promise<GeneratorState | null>;
  /**
   * Stops the VM, saves it, and ends it. The agent has frozen the workload before. A fork can be saved too: its
   * snapshot stands by itself.
   * @throws CodedError `vmm-failed`; the VM is ended all the same
   */
  save(guest: GuestFacts): Promise<LoadedSnapshot>;
  /**
   * No instruction of it runs from then on until it is resumed, and no time of its passes. @throws CodedError
   * `vmm-failed`; the VM is ended all the same
   */
  pause(): Promise<PreparedVm>;
  /** Told once. */
  readonly ended: Promise<VmEnd>;
  /** Ends it, within a deadline, and takes everything of it away. Idempotent. */
  stop(): Promise<void>;
}

export interface VmmPort {
  readonly name: 'qemu' | 'firecracker';
  readonly version: string;
  readonly accelerator: Accelerator;
  /** What it would be started with for that machine: a snapshot is of these words alone. @throws CodedError `bad-machine` */
  argumentsOf(machine: Machine): readonly string[];
  /** @throws CodedError `vmm-failed` with the tail of what the VMM said */
  boot(spec: BootSpec): Promise<RunningVm>;
  /**
   * Ready to run and stopped: memory mapped copy-on-write, device state loaded, channels connected.
   * @throws CodedError `snapshot-mismatch` when this VMM is not the one that the manifest names; `bad-volume`,
   * `vmm-failed`
   */
  prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm>;
  /** Writes it to a folder (mode 0700, files 0600), the manifest last. @throws CodedError `disk-full` */
  store(snapshot: LoadedSnapshot, folder: string): Promise<void>;
  /**
   * Hashes while it copies into sealed memory. @throws CodedError `snapshot-mismatch` with the field that differs
   * @param digest what the manifest must be
   */
  load(folder: string, digest: string): Promise<LoadedSnapshot>;
  /**
   * Seals first, then the octets are hashed: nobody's word stands for them. The descriptors are the snapshot's when it
   * succeeds, and stay the caller's else.
   * @param digest what the manifest must be, from who wants it run and never from who handed it over
   * @throws CodedError `snapshot-mismatch` with the field that differs
   */
  adopt(handed: HandedSnapshot, digest: string): Promise<LoadedSnapshot>;
  /** Stops what still runs. Idempotent; nothing can be booted afterwards. */
  close(): Promise<void>;
}

/** A VM that runs nothing until it is resumed; of `prepare` it has not run an instruction yet. */
export interface PreparedVm {
  /** As that of the running one; what is written into it waits for the resume. */
  channel(name: ChannelName): Duplex;
  resume(): Promise<RunningVm>;
  stop(): Promise<void>;
}
