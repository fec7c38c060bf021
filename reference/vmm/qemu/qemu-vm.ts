/**
 * A virtual machine of QEMU: a template with memory that it shares with us, or a fork with a copy-on-write view of a
 * snapshot's.
 * Invariant: what it holds is given back when it is stopped, saved, or could not be saved.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { ChannelName } from '#reference/contract/guest-protocol.ts';
import type {
  Accelerator,
  GeneratorState,
  GuestFacts,
  LoadedSnapshot,
  PreparedVm,
  RunningVm,
  SealedFile,
  SnapshotManifest,
  VmEnd,
} from '#reference/contract/vmm-port.ts';
import { generationOffset, generatorOctets, readGenerator } from '../generator.ts';
import { type Identity, snapshotOfVm } from '../manifest/identity.ts';
import { copySealed, hashSealed } from '../sealed-files.ts';
import type { QemuProcess } from './qemu-process.ts';
import { qmpFault } from './qmp.ts';

const maxDeviceStateOctets = 64 << 20;
const mebi = 1 << 20;
const saveDeadlineMs = 60_000;
/** While the guest's user code runs, its page tables do not show the kernel: it is let run on, and asked again. */
const lookUps = { most: 50, apartMs: 10 } as const;

interface Generator {
  readonly address: bigint;
  readonly offset: number;
}

export class QemuVm implements RunningVm, PreparedVm {
  readonly id = randomUUID();
  readonly #qemu: QemuProcess;
  readonly #identity: Identity;
  /** A template's, ours to close or to seal; null: a fork. */
  #memory: number | null;
  #generator: Generator | null;
  #stopped: Promise<void> | null = null;

  /** @param memory the memfd that a template shares with us, the VM's from now on */
  constructor(
    qemu: QemuProcess,
    identity: Identity,
    memory: number | null,
    snapshot: SnapshotManifest | null,
  ) {
    this.#qemu = qemu;
    this.#identity = identity;
    this.#memory = memory;
    this.#generator = snapshot === null ? null : generatorOf(snapshot);
  }

  get pid(): number {
    return this.#qemu.pid;
  }

  get accelerator(): Accelerator {
    return this.#identity.accelerator;
  }

  get ended(): Promise<VmEnd> {
    return this.#qemu.ended;
  }

  channel(name: ChannelName): Duplex {
    return this.#qemu.channels[name];
  }

  consoleTail(): string {
    return this.#qemu.consoleTail();
  }

  async resume(): Promise<RunningVm> {
    try {
      await this.#qemu.qmp.execute('cont');
      return this;
    } catch (cause) {
      await this.stop();
      throw this.#qemu.explained(cause);
    }
  }

  async pause(): Promise<PreparedVm> {
    try {
      await this.#qemu.qmp.execute('stop');
      return this;
    } catch (cause) {
      await this.stop();
      throw this.#qemu.explained(cause);
    }
  }

  async generator(): Promise<GeneratorState | null> {
    if (this.#generator === null) return null;
    const { address, offset } = this.#generator;
    return readGenerator(await this.#qemu.readMemory(address, generatorOctets), offset);
  }

  async save(guest: GuestFacts): Promise<LoadedSnapshot> {
    const files: SealedFile[] = [];
    try {
      await this.#qemu.qmp.execute('stop');
      this.#generator ??= await this.#findGenerator(guest);
      const generatorAtSnapshot = await this.generator();
      files.push(await this.#saveDevices());
      files.unshift(await this.#saveMemory());
      const [memory, deviceState] = files as [SealedFile, SealedFile];
      if (memory.octets !== this.#identity.machine.memoryMiB * mebi) {
        throw qmpFault('the memory that was saved has another length');
      }
      const generatorAddress = this.#generator?.address.toString(16) ?? null;
      return snapshotOfVm(this.#identity, {
        ...{ memory, deviceState, guest, generatorAddress, generatorAtSnapshot },
      });
    } catch (cause) {
      for (const { fd } of files) close(fd);
      throw this.#qemu.explained(cause);
    } finally {
      await this.stop();
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    await this.#qemu.release();
    if (this.#memory !== null) close(this.#memory);
    this.#memory = null;
  }

  /** The devices and nothing of memory, whatever backs it: the command is Xen's by name only. */
  async #saveDevices(): Promise<SealedFile> {
    const scratch = await this.#qemu.writeScratch('xen-save-devices-state', {});
    return copySealed(scratch, 'device-state', maxDeviceStateOctets);
  }

  /** A template's memory becomes the snapshot's as it is; a fork's is written out whole. */
  async #saveMemory(): Promise<SealedFile> {
    if (this.#memory === null) {
      const octets = this.#identity.machine.memoryMiB * mebi;
      const scratch = await this.#qemu.writeScratch('pmemsave', { val: 0, size: octets }, saveDeadlineMs);
      return copySealed(scratch, 'memory', octets);
    }
    await this.#qemu.release();
    // Nobody has it mapped any more: else the kernel refuses the seal.
    seal(this.#memory);
    const memory = await hashSealed(this.#memory);
    this.#memory = null;
    return memory;
  }

  async #findGenerator({ generatorSymbol, kernelRelease }: GuestFacts): Promise<Generator | null> {
    const offset = generationOffset(kernelRelease);
    if (generatorSymbol === null || offset === null) return null;
    if (!/^[0-9a-f]{16}$/.test(generatorSymbol)) throw qmpFault('generatorSymbol is no address');
    for (let time = 0; time < lookUps.most; time++) {
      const address = await this.#physical(generatorSymbol);
      if (address !== null) return { address, offset };
      await this.#qemu.qmp.execute('cont');
      await new Promise((resolve) => setTimeout(resolve, lookUps.apartMs));
      await this.#qemu.qmp.execute('stop');
    }
    throw qmpFault('the guest’s kernel does not map generatorSymbol');
  }

  async #physical(symbol: string): Promise<bigint | null> {
    const said = await this.#qemu.qmp.execute('human-monitor-command', {
      'command-line': `gva2gpa 0x${symbol}`,
    });
    const [, address] = /^gpa: 0x([0-9a-f]+)\s*$/.exec(String(said)) ?? [];
    return address === undefined ? null : BigInt(`0x${address}`);
  }
}

function generatorOf({ generatorAddress, guest }: SnapshotManifest): Generator | null {
  const offset = generationOffset(guest.kernelRelease);
  if (generatorAddress === null || offset === null) return null;
  return { address: BigInt(`0x${generatorAddress}`), offset };
}
