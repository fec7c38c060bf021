/**
 * The port of microVMs without a microVM: a guest is a program in this process, and its memory a JSON object, which
 * snapshots and forks copy as a VMM does.
 * Invariant: snapshots are real ones (sealed memory, manifest, digest, folder), so what is refused there is so here.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { type Duplex, duplexPair } from 'node:stream';
import { CodedError } from '#reference/base/coded-error.ts';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import { type ChannelName, channelNames, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type {
  BootSpec,
  GeneratorState,
  GuestFacts,
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
import {
  checkRestorable,
  type Identity,
  identityOf,
  SnapshotKeeper,
  snapshotOfVm,
} from './manifest/identity.ts';
import { canonicalJson } from './manifest/manifest.ts';
import type { StorageKey } from './manifest/storage-key.ts';
import { hashSealed } from './sealed-files.ts';
import { type FakeDisk, fakeDisks } from './volumes/fake-disks.ts';
import { type FilledSlot, fillSlots, slotsFault } from './volumes/volume-slots.ts';

/** All that a guest remembers. `generator` is what the VMM reads of its kernel. */
export interface FakeMemory {
  generator?: GeneratorState;
  [name: string]: unknown;
}

/** A guest, while it has a line to answer. */
export interface FakeGuest {
  readonly memory: FakeMemory;
  /** By their serials. */
  readonly disks: ReadonlyMap<string, FakeDisk>;
  send(text: string, channel?: ChannelName): void;
  print(text: string): void;
  /** As a guest that panics or shuts down. */
  end(): void;
}

/** Called with each line from the host, one at a time in order on each channel; it may answer late, or never. */
export type FakeProgram = (guest: FakeGuest, line: string, channel: ChannelName) => void | Promise<void>;

/** No process has such a number. */
const firstPid = 5_000_000;
let nextPid = firstPid;

export class FakeVmm extends SnapshotKeeper implements VmmPort {
  readonly name = 'qemu';
  readonly version: string;
  readonly accelerator = 'tcg';
  readonly #program: FakeProgram;
  readonly #running = new Set<FakeVm>();
  /** What the next calls of `boot` and `prepare` fail with, one each; past its end they succeed. */
  readonly failures: (CodedError | null)[] = [];
  #isClosed = false;

  constructor(program: FakeProgram, version = 'fake 1', storageKey: StorageKey | null = null) {
    super(
      {
        vmm: { name: 'qemu', version },
        accelerator: 'tcg',
        argumentsOf: (machine) => {
          const fault = slotsFault(machine);
          if (fault === null) return [canonicalJson(machine)];
          throw new CodedError('bad-machine', fault, 'correct the machine of the template');
        },
      },
      storageKey,
    );
    this.#program = program;
    this.version = version;
  }

  /** VMs that run or are prepared. */
  get live(): number {
    return this.#running.size;
  }

  async boot(spec: BootSpec): Promise<RunningVm> {
    this.#mayStart();
    const identity = identityOf(this.environment, spec, fakeFault);
    const volumes = fillSlots(spec.machine, spec.place);
    return this.#keep(new FakeVm(this.#program, identity, {}, null, volumes)).resume();
  }

  async prepare(snapshot: LoadedSnapshot, place: VmPlace): Promise<PreparedVm> {
    this.#mayStart();
    checkRestorable(snapshot, this.environment);
    const { manifest, memory } = snapshot;
    const remembered = JSON.parse(readFileSync(`/proc/self/fd/${memory.fd}`, 'utf8').trim()) as FakeMemory;
    const origin = manifest.generatorAddress === null ? null : manifest;
    const volumes = fillSlots(manifest.machine, place);
    return this.#keep(new FakeVm(this.#program, manifest, remembered, origin, volumes));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running].map((vm) => vm.stop()));
  }

  #mayStart(): void {
    if (this.#isClosed) throw fakeFault('the VMM is closed');
    const failure = this.failures.shift();
    if (failure !== undefined && failure !== null) throw failure;
  }

  #keep(vm: FakeVm): FakeVm {
    this.#running.add(vm);
    void vm.ended.then(() => this.#running.delete(vm));
    return vm;
  }
}

function fakeFault(message: string): CodedError {
  return new CodedError('vmm-failed', message, 'see what the VMM said, and whether the guest is alive');
}

class FakeVm implements RunningVm, PreparedVm {
  readonly id = randomUUID();
  readonly pid = nextPid++;
  readonly accelerator = 'tcg';
  readonly ended: Promise<VmEnd>;
  readonly #end: (end: VmEnd) => void;
  readonly #program: FakeProgram;
  readonly #identity: Identity;
  readonly #memory: FakeMemory;
  readonly #channels = {} as Record<ChannelName, readonly [host: Duplex, guest: Duplex]>;
  readonly #disks: ReadonlyMap<string, FakeDisk>;
  #hasGenerator: boolean;
  #printed = '';
  #isRunning = false;
  #isHeard = false;
  /** Pending while it is paused. */
  #going = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor(
    program: FakeProgram,
    identity: Identity,
    memory: FakeMemory,
    origin: SnapshotManifest | null,
    volumes: readonly FilledSlot[],
  ) {
    this.#disks = fakeDisks(volumes);
    this.#program = program;
    this.#identity = identity;
    this.#memory = memory;
    this.#hasGenerator = origin !== null;
    for (const name of Object.keys(channelNames) as ChannelName[]) {
      const pair = duplexPair();
      // How a VM ends is told by `ended`; a stream that breaks then is no news.
      for (const end of pair) end.on('error', () => undefined);
      this.#channels[name] = pair;
    }
    const { promise, resolve } = Promise.withResolvers<VmEnd>();
    this.ended = promise;
    this.#end = resolve;
  }

  channel(name: ChannelName): Duplex {
    return this.#channels[name][0];
  }

  consoleTail(): string {
    return this.#printed;
  }

  async resume(): Promise<RunningVm> {
    if (this.#hasEnded) throw fakeFault('the VMM has ended');
    if (!this.#isHeard) {
      for (const name of Object.keys(channelNames) as ChannelName[]) this.#listen(name);
    }
    this.#isHeard = true;
    this.#isRunning = true;
    this.#going.resolve();
    return this;
  }

  async pause(): Promise<PreparedVm> {
    if (this.#hasEnded) throw fakeFault('the VMM has ended');
    if (this.#isRunning) this.#going = Promise.withResolvers();
    this.#isRunning = false;
    return this;
  }

  async generator(): Promise<GeneratorState | null> {
    if (this.#hasEnded) throw fakeFault('the VMM has ended');
    return this.#hasGenerator ? (this.#memory.generator ?? null) : null;
  }

  async save(guest: GuestFacts): Promise<LoadedSnapshot> {
    try {
      if (this.#hasEnded) throw fakeFault('the VMM has ended');
      const hasSymbol = guest.generatorSymbol !== null && this.#memory.generator !== undefined;
      this.#hasGenerator ||= hasSymbol;
      const generatorAtSnapshot = await this.generator();
      const memory = await sealedText('memory', JSON.stringify(this.#memory), this.#identity.machine);
      const deviceState = await sealedText('device-state', 'no device');
      const generatorAddress = this.#hasGenerator ? guest.generatorSymbol : null;
      return snapshotOfVm(this.#identity, {
        ...{ memory, deviceState, guest, generatorAddress, generatorAtSnapshot },
      });
    } finally {
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    this.#over({ kind: 'exited', code: null, signal: 'SIGKILL' });
  }

  #over(end: VmEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const [, guest] of Object.values(this.#channels)) guest.destroy();
    for (const [host] of Object.values(this.#channels)) host.destroy();
    this.#end(end);
  }

  #listen(channel: ChannelName): void {
    const [, stream] = this.#channels[channel];
    const guest: FakeGuest = {
      memory: this.#memory,
      disks: this.#disks,
      send: (text, on = channel) => void (this.#hasEnded || this.#channels[on][1].write(`${text}\n`)),
      print: (text) => {
        this.#printed = `${this.#printed}${text}\n`.slice(-maxLineOctets);
      },
      end: () => this.#over({ kind: 'exited', code: 0, signal: null }),
    };
    let partial = '';
    let turn: Promise<void> = Promise.resolve();
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${partial}${text}`.split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        turn = turn.then(async () => {
          await this.#going.promise;
          if (!this.#hasEnded) await this.#program(guest, line, channel);
        });
      }
    });
  }
}

/** As long as the machine's memory when there is one: the rest is spaces, which JSON skips. */
async function sealedText(name: string, text: string, machine?: Machine): Promise<SealedFile> {
  const fd = createMemfd(name);
  try {
    writeSync(fd, text.padEnd(machine === undefined ? 0 : machine.memoryMiB * 1_024));
    seal(fd);
    return await hashSealed(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}
