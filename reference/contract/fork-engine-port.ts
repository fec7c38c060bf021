/**
 * What sandbox-server and husk ask of a fork engine: templates that are built once, and sandboxes, forked from them.
 * Invariant: a sandbox that is handed out has passed the gate; what is refused or ended has left nothing.
 */
import type { SandboxPolicy } from './datapath.ts';
import type { AllowedProcess, ExecRequest, FileEntry, InitRequest, ServiceEnd } from './guest-protocol.ts';
import type { Volume, VolumeSlot } from './vmm-port.ts';

/** A file that is opened only when it has this digest. */
export interface PinnedFile {
  readonly path: string;
  readonly sha256: string;
}

/** A place for a volume in each fork; while the template is built there is nothing in it. */
export interface TemplateVolume extends VolumeSlot {
  /** Where the guest mounts it: absolute, in its one form, and no folder of `keptFolders`. */
  readonly path: string;
}

export interface TemplateSpec {
  readonly kernel: PinnedFile;
  readonly initrd: PinnedFile;
  readonly commandLine: string;
  /** A folder, or an image archive, whose files come on top of the initrd's; null: none. */
  readonly rootfs: string | null;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** One after the other; the first that fails refuses the template, its output shown. */
  readonly init: readonly InitRequest[];
  readonly allowProcesses: readonly AllowedProcess[];
  /** At most 8, mounted in this order. */
  readonly volumes?: readonly TemplateVolume[];
}

export interface Template {
  /** Digest of what it was built from. */
  readonly id: string;
  /** Digest of its snapshot's manifest. */
  readonly snapshot: string;
  readonly memoryMiB: number;
  readonly createdMs: number;
  readonly buildMs: number;
  /** The VMM can read the generator of its forks. */
  readonly readsGenerator: boolean;
  readonly volumes: readonly TemplateVolume[];
}

export interface Secret {
  readonly name: string;
  readonly value: string;
  /** One of the two: a variable of each exec, or a file that only root reads. */
  readonly envVar?: string;
  readonly path?: string;
}

export interface ForkRequest {
  readonly template: string;
  /** null: no network. */
  readonly network: SandboxPolicy | null;
  readonly secrets: readonly Secret[];
  /** One for each that the template declares. Descriptors stay the caller's; the sandbox has its own. */
  readonly volumes?: readonly Volume[];
}

export interface LiveForkRequest {
  readonly replicas: number;
  /** Else a sandbox that holds secrets is not forked. */
  readonly allowSecretInheritance: boolean;
  /** The source goes on only when each of its children has been released, or was refused; else it goes first. */
  readonly pauseSource?: boolean;
}

export interface Sandbox {
  readonly id: string;
  readonly template: string;
  /** The sandbox that it was forked from while that ran. */
  readonly parent: string | null;
  readonly createdMs: number;
  readonly holdsSecrets: boolean;
  readonly hasNetwork: boolean;
  /** Serials. */
  readonly volumes: readonly string[];
  /** From the call to the gate's verdict and to the release. */
  readonly admittedAfterMs: number;
  readonly releasedAfterMs: number;
}

/** Takes a chunk; ends when the next one may come; rejecting ends the request. */
export type TakeOutput = (stream: 'stdout' | 'stderr' | 'data', octets: Buffer) => Promise<void> | void;
export type RequestEnd = Omit<ServiceEnd, 'id'>;

export interface ExecInProgress {
  readonly ended: Promise<RequestEnd>;
  stdin(octets: Uint8Array): Promise<void>;
  stdinEnd(): void;
  kill(signal: string): void;
  cancel(): void;
}

/** Each call @throws CodedError; `no-such-sandbox`, `not-released`, `sandbox-busy` besides what is named. */
export interface ForkEnginePort {
  /** As `qemu 7.2 tcg`. */
  readonly vmm: string;
  /**
   * Builds that are asked for while the same one is under way are one; what stands already is handed out.
   * @throws `template-refused`, `kernel-refused`, `too-many-templates`, `too-many-vms`, `disk-full`, `state-full`,
   * `bad-machine`, `bad-volume`, `vmm-failed`
   */
  buildTemplate(spec: TemplateSpec): Promise<Template>;
  templates(): readonly Template[];
  /** @throws `no-such-template` */
  removeTemplate(id: string): Promise<void>;
  /**
   * So many forks stand ready from now on; none of a template with volumes, which are of one fork each.
   * @param isRehearsed they have run until their agents answered once, and were paused again
   * @throws `no-such-template`, `too-many-vms`, `bad-volume`
   */
  keepReady(id: string, forks: number, isRehearsed?: boolean): Promise<void>;
  /**
   * @throws `no-such-template`, `too-many-vms`, `fork-refused`, `no-network`, `bad-volume`, `volume-not-mounted`,
   * `no-overlay`, `state-full`
   */
  fork(request: ForkRequest): Promise<Sandbox>;
  /**
   * The source goes on, after a pause. Read-only volumes are its children's as well; a private one would be lost.
   * @throws `secrets-not-inherited`, `volume-not-inherited`, `snapshot-refused`, `too-many-vms`
   */
  forkSandbox(id: string, request: LiveForkRequest): Promise<readonly Sandbox[]>;
  sandboxes(): readonly Sandbox[];
  exec(id: string, request: ExecRequest, take: TakeOutput): ExecInProgress;
  readFile(id: string, path: string, maxOctets: number, take: TakeOutput): Promise<RequestEnd>;
  writeFile(id: string, path: string, mode: number, source: AsyncIterable<Uint8Array>): Promise<RequestEnd>;
  list(id: string, path: string): Promise<RequestEnd & { readonly entries: readonly FileEntry[] }>;
  ask(id: string, method: 'stat' | 'remove', path: string): Promise<RequestEnd>;
  /** Ends when nothing of it is left. @throws `fork-not-reaped` */
  terminate(id: string): Promise<void>;
  /** Told when a sandbox has ended by itself or was terminated. */
  onEnded(listener: (id: string) => void): void;
  /** Everything ends. */
  close(): Promise<void>;
}
