/**
 * A virtual machine of Firecracker: a template, or a fork with a copy-on-write view of a snapshot's memory.
 * Invariant: what it holds is given back when it is stopped, saved, or could not be saved. Its generator is read where
 * the VMM has the guest's memory mapped, since Firecracker itself has no request for it.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { ChannelName } from '#reference/contract/guest-protocol.ts';
import type {
  GeneratorState,
  GuestFacts,
  LoadedSnapshot,
  PreparedVm,
  RunningVm,
  SealedFile,
  VmEnd,
} from '#reference/contract/vmm-port.ts';
import { generationOffset, generatorOctets, readGenerator } from '../generator.ts';
import { type Identity, type SavedVm, snapshotOfVm } from '../manifest/identity.ts';
import { hashSealed } from '../sealed-files.ts';
import { maxFlatMiB } from '../witness.ts';
import { firecrackerFault } from './api-client.ts';
import type { FirecrackerProcess } from './firecracker-process.ts';
import { physicalOf, readMapped, readSaved } from './guest-memory.ts';
import { pauseRequest, resumeRequest, saveRequests } from './requests.ts';

const mebi = 1 << 20;

/** Where a fork's generator is. */
interface Generator {
  readonly address: number;
  readonly offset: number;
  /** The snapshot's memory, ours to close: what the VMM has mapped is known by it. */
  readonly file: number;
}

/** @param file a copy of the descriptor of the snapshot's memory, closed when it is not needed */
export function generatorOf({ manifest }: LoadedSnapshot, file: number): Generator | null {
  const offset = generationOffset(manifest.guest.kernelRelease);
  if (manifest.generatorAddress === null || offset === null) {
    close(file);
    return null;
  }
  return { address: Number.parseInt(manifest.generatorAddress, 16), offset, file };
}

export class FirecrackerVm implements RunningVm, PreparedVm {
  readonly id = randomUUID();
  readonly accelerator = 'kvm';
  readonly #process: FirecrackerProcess;
  readonly #identity: Identity;
  /** Memfds of `saved`; empty once they are a snapshot’s, or closed. */
  #own: readonly number[];
  #generator: Generator | null;
  #stopped: Promise<void> | null = null;

  constructor(
    process: FirecrackerProcess,
    identity: Identity,
    own: readonly number[],
    generator: Generator | null,
  ) {
    this.#process = process;
    this.#identity = identity;
    this.#own = own;
    this.#generator = generator;
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
    this.#process.connectChannels();
  }

  async resume(): Promise<RunningVm> {
    this.#mustLive();
    try {
      await this.#process.call(resumeRequest);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.connect();
    return this;
  }

  async pause(): Promise<PreparedVm> {
    this.#mustLive();
    try {
      await this.#process.call(pauseRequest);
      return this;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async generator(): Promise<GeneratorState | null> {
    this.#mustLive();
    if (this.#generator === null) return null;
    const { address, offset, file } = this.#generator;
    return readGenerator(readMapped(this.pid, file, address, generatorOctets), offset);
  }

  async save(guest: GuestFacts): Promise<LoadedSnapshot> {
    try {
      this.#mustLive();
      await this.#process.call(...saveRequests());
      await this.#process.release();
      for (const fd of this.#own) seal(fd);
      const [memory, deviceState] = (await Promise.all(this.#own.map(hashSealed))) as [
        SealedFile,
        SealedFile,
      ];
      if (memory.octets !== this.#identity.machine.memoryMiB * mebi) {
        throw firecrackerFault('the memory that was saved has another length');
      }
      const generator = await this.#findGenerator(memory, guest);
      this.#own = [];
      return snapshotOfVm(this.#identity, { memory, deviceState, guest, ...generator });
    } finally {
      await this.stop();
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  #mustLive(): void {
    if (this.#stopped !== null) throw firecrackerFault('the VMM has ended');
  }

  /** In what was saved. A fork's is where its template's was. */
  async #findGenerator(
    memory: SealedFile,
    { generatorSymbol, kernelRelease }: GuestFacts,
  ): Promise<Pick<SavedVm, 'generatorAddress' | 'generatorAtSnapshot'>> {
    const none = { generatorAddress: null, generatorAtSnapshot: null };
    const offset = generationOffset(kernelRelease);
    const isFlat = this.#identity.machine.memoryMiB <= maxFlatMiB;
    if (generatorSymbol === null || offset === null || !isFlat) return none;
    if (!/^[0-9a-f]{16}$/.test(generatorSymbol)) throw firecrackerFault('generatorSymbol is no address');
    const address = this.#generator?.address ?? (await physicalOf(memory, BigInt(`0x${generatorSymbol}`)));
    if (address === null) throw firecrackerFault('the guest’s kernel does not map generatorSymbol');
    return {
      generatorAddress: address.toString(16),
      generatorAtSnapshot: readGenerator(readSaved(memory, address, generatorOctets), offset),
    };
  }

  async #end(): Promise<void> {
    try {
      await this.#process.release();
    } finally {
      for (const fd of this.#own) close(fd);
      this.#own = [];
      if (this.#generator !== null) close(this.#generator.file);
      this.#generator = null;
    }
  }
}
