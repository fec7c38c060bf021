/** A husk on the fake VMM, beside a datapath and a resolver that are told when to fail. */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { openLog } from '#reference/base/log.ts';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, SealedFile } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { warmAndSave } from '#reference/forkd/warm-guest.ts';
import { Husk } from '#reference/husk/husk.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { engineGuest } from './engine-guest.ts';
import { FakeHuskNetwork, guestMac, network, pod } from './fake-husk-network.ts';
import type { HuskGround } from './husk-contract.ts';

const log = openLog('test', 'silent');

export class FakeHuskGround implements HuskGround {
  readonly snapshot: LoadedSnapshot;
  readonly printEnvironment = ['env'];
  readonly endMachine = ['panic'];
  readonly vmm: FakeVmm;
  readonly guest: ReturnType<typeof engineGuest>;
  /** In order: what was asked of datapath, resolver and guest. */
  readonly asked: string[];
  readonly failing: Set<string>;
  readonly #folder: string;
  readonly #store: WitnessStore;
  readonly #network: FakeHuskNetwork;

  private constructor(
    parts: { vmm: FakeVmm; guest: ReturnType<typeof engineGuest>; snapshot: LoadedSnapshot },
    folder: string,
    store: WitnessStore,
  ) {
    this.vmm = parts.vmm;
    this.guest = parts.guest;
    this.snapshot = parts.snapshot;
    this.asked = parts.guest.asked;
    this.#network = new FakeHuskNetwork(this.asked);
    this.failing = this.#network.failing;
    this.#folder = folder;
    this.#store = store;
  }

  static async open(): Promise<FakeHuskGround> {
    const guest = engineGuest();
    const vmm = new FakeVmm((machine, line, channel) =>
      line.includes('"argv":["panic"]') ? machine.end() : guest.program(machine, line, channel),
    );
    const snapshot = await fakeSnapshot(vmm);
    const folder = mkdtempSync(`${tmpdir()}/huskproof-husk-`);
    return new FakeHuskGround({ vmm, guest, snapshot }, folder, await WitnessStore.open(folder, log));
  }

  /** What calls that are told to fail fail with. */
  failWith(code: string): void {
    this.#network.code = code;
  }

  husk(kind?: 'hasty'): Husk {
    this.asked.length = 0;
    // One that was refused before its guest was asked has left its lie.
    this.guest.lies.length = 0;
    if (kind === 'hasty') this.guest.lies.push('silent');
    // An insert waits for a disk that may be busy.
    const deadlineMs = kind === 'hasty' ? 50 : 20_000;
    const activation = new Activation(this.#store, log, { deadlineMs, requireWitness: true });
    const [datapath, dns] = [this.#network.datapath(), this.#network.dns()];
    return new Husk(network, { vmm: this.vmm, activation, datapath, dns, pod, log });
  }

  async left(): Promise<readonly string[]> {
    return [...this.#network.left(), ...(this.vmm.live === 0 ? [] : [`${this.vmm.live} VMs`])];
  }

  async close(): Promise<void> {
    await this.vmm.close();
    this.snapshot.close();
    await this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Of a guest behind eth0. */
export async function fakeSnapshot(vmm: FakeVmm): Promise<LoadedSnapshot> {
  const [kernel, initrd] = [image('a kernel'), image('an initrd')];
  const machine = { memoryMiB: 64, cpus: 1, cpuModel: 'max', guestMac, generationId: 'fresh' } as const;
  const place = { tapFd: null };
  const vm = await vmm.boot({ machine, kernel, initrd, commandLine: 'quiet', place });
  const snapshot = await warmAndSave(vm, { init: [], allowProcesses: [] });
  for (const { fd } of [kernel, initrd]) close(fd);
  return snapshot;
}

function image(text: string): SealedFile {
  const fd = createMemfd('image');
  const octets = writeSync(fd, Buffer.concat([Buffer.from(text), randomBytes(8)]));
  seal(fd);
  return { fd, sha256: hash('sha256', text), octets };
}
