/**
 * What a VM is, whatever runs in it, and the manifest that its snapshot has: the same for every VMM.
 * Invariant: a VM is of sealed memory only, and its snapshot's memory is as long as its machine's.
 */
import { isSealed } from '#reference/base/memfd.ts';
import type {
  BootSpec,
  GeneratorState,
  GuestFacts,
  HandedSnapshot,
  LoadedSnapshot,
  Machine,
  SealedFile,
  SnapshotManifest,
} from '#reference/contract/vmm-port.ts';
import { checkEnvironment, type Environment, mismatch } from './manifest.ts';
import { adoptSnapshot, loadSnapshot, snapshotOf, storeSnapshot } from './snapshot-folder.ts';
import type { StorageKey } from './storage-key.ts';

export type Identity = Pick<
  SnapshotManifest,
  'vmm' | 'accelerator' | 'machine' | 'arguments' | 'commandLine' | 'kernelSha256' | 'initrdSha256'
>;

/**
 * @param fault of this VMM
 * @throws what `fault` makes; CodedError `bad-machine`
 */
export function identityOf(
  { vmm, accelerator, argumentsOf }: Environment,
  { machine, kernel, initrd, commandLine }: Omit<BootSpec, 'place'>,
  fault: (message: string) => Error,
): Identity {
  for (const { fd } of [kernel, initrd]) {
    if (!isSealed(fd)) throw fault('a kernel and an initrd are booted from sealed memory only');
  }
  return {
    ...{ vmm, accelerator, machine, commandLine },
    arguments: argumentsOf(machine),
    kernelSha256: kernel.sha256,
    initrdSha256: initrd.sha256,
  };
}

/** A snapshot that this VMM may restore, still in sealed memory. @throws CodedError `snapshot-mismatch` */
export function checkRestorable(
  { manifest, memory, deviceState }: Pick<LoadedSnapshot, 'manifest' | 'memory' | 'deviceState'>,
  environment: Environment,
): void {
  checkEnvironment(manifest, environment);
  for (const [field, { fd }] of Object.entries({ memory, deviceState })) {
    if (!isSealed(fd)) throw mismatch(field, 'is not sealed');
  }
}

export interface SavedVm {
  readonly memory: SealedFile;
  readonly deviceState: SealedFile;
  readonly guest: GuestFacts;
  /** Hex; null: not known. */
  readonly generatorAddress: string | null;
  readonly generatorAtSnapshot: GeneratorState | null;
}

/** Its descriptors are the snapshot's from now on. */
export function snapshotOfVm(identity: Identity, saved: SavedVm): LoadedSnapshot {
  const { memory, deviceState, guest, generatorAddress, generatorAtSnapshot } = saved;
  const { vmm, accelerator, machine, commandLine, kernelSha256, initrdSha256 } = identity;
  const measured = ({ sha256, octets }: SealedFile) => ({ sha256, octets });
  const manifest: SnapshotManifest = {
    format: 1,
    ...{ vmm, accelerator, machine, arguments: identity.arguments, commandLine, kernelSha256, initrdSha256 },
    memory: measured(memory),
    deviceState: measured(deviceState),
    ...{ guest, generatorAddress, generatorAtSnapshot },
  };
  return snapshotOf(manifest, memory, deviceState);
}

/** What a VMM does with the snapshots of its environment, as `VmmPort` has it. */
export class SnapshotKeeper {
  protected readonly environment: Environment;
  readonly #storageKey: StorageKey | null;

  constructor(environment: Environment, storageKey: StorageKey | null) {
    this.environment = environment;
    this.#storageKey = storageKey;
  }

  argumentsOf(machine: Machine): readonly string[] {
    return this.environment.argumentsOf(machine);
  }

  store(snapshot: LoadedSnapshot, folder: string): Promise<void> {
    return storeSnapshot(snapshot, folder, this.#storageKey);
  }

  load(folder: string, digest: string): Promise<LoadedSnapshot> {
    return loadSnapshot(folder, digest, this.environment, this.#storageKey);
  }

  adopt(handed: HandedSnapshot, digest: string): Promise<LoadedSnapshot> {
    return adoptSnapshot(handed, digest, this.environment);
  }
}
