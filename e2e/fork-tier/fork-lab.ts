/**
 * Templates and forks of every subject on one VMM, with the host that belongs to the subject.
 * Invariant: a template is built once and forked often; when the lab is closed no VM, folder or descriptor is left.
 */
import type { GuestImage } from '#kvm-lab/artifacts/artifacts.ts';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { openLog } from '#reference/base/log.ts';
import { close } from '#reference/base/syscalls.ts';
import { within } from '#reference/base/within.ts';
import { type ControlRequest, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type { Accelerator, LoadedSnapshot, Machine, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { Activation, type ForkSource } from '#reference/fork-engine/activation.ts';
import { ControlChannel, readAnswer } from '#reference/fork-engine/control-channel.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { GuestClient } from './guest-client.ts';
import { type ForkHost, HistoricHost } from './historic-host.ts';

export interface TemplateWish {
  readonly image: GuestImage;
  readonly kernel: string;
  readonly generationId: Machine['generationId'];
  readonly clock: 'jitter' | 'deterministic';
  /** Commands that run in the background, alive in the snapshot. */
  readonly workload: readonly string[] | null;
}

export const plainWish = {
  kernel: '6.1-cloud',
  generationId: 'none',
  clock: 'jitter',
  workload: null,
} as const satisfies Partial<TemplateWish>;

export interface LabTemplate {
  readonly wish: TemplateWish;
  readonly snapshot: LoadedSnapshot;
  readonly source: ForkSource;
}

export interface LabFork {
  readonly vm: RunningVm;
  readonly guest: GuestClient;
}

/** The guest's, of a boot on a machine that others use too. */
const bootMs = 180_000;
const answerMs = 60_000;
/** The gate's: guests of TCG on a busy machine are slow, and honest. */
export const gateDeadlineMs = 15_000;
const memoryMiB = 512;
const drawsToWarm = 2;

export class ForkLab {
  readonly vmm: VmmPort;
  readonly #folder: string;
  readonly #templates = new Map<string, Promise<LabTemplate>>();
  readonly #store: WitnessStore;

  private constructor(vmm: VmmPort, folder: string, store: WitnessStore) {
    this.vmm = vmm;
    this.#folder = folder;
    this.#store = store;
  }

  static async open(accelerator: Accelerator): Promise<ForkLab> {
    const folder = makeLabFolder('fork');
    const store = await WitnessStore.open(folder, openLog('fork-lab', 'silent'));
    return new ForkLab(await openQemu(accelerator), folder, store);
  }

  /** The gate of the subject. */
  async host(subject: BuiltInSubject): Promise<ForkHost> {
    if (subject !== 'reference') return HistoricHost.open(subject, gateDeadlineMs);
    return new Activation(this.#store, openLog('gate', 'silent'), { deadlineMs: gateDeadlineMs });
  }

  template(wish: TemplateWish): Promise<LabTemplate> {
    const key = JSON.stringify(wish);
    const known = this.#templates.get(key) ?? this.#build(wish);
    this.#templates.set(key, known);
    return known;
  }

  async #build(wish: TemplateWish): Promise<LabTemplate> {
    const artifacts = await guestArtifacts(wish.kernel, wish.image);
    const pinned = (destination: string, sha256: string) =>
      openVerified({ destination, sha256, allowUnverified: false });
    const kernel = await pinned(artifacts.kernel, artifacts.kernelSha256);
    const initrd = await pinned(artifacts.initrd, artifacts.initrdSha256);
    try {
      const machine = this.#machineOf(wish);
      const { commandLine } = artifacts;
      const vm = await this.vmm.boot({ machine, kernel, initrd, commandLine, place: { tapFd: null } });
      const snapshot = await warmed(vm, wish);
      const { digest, manifest } = snapshot;
      const { generatorAtSnapshot, generatorAddress } = manifest;
      const source = { digest, generatorAtSnapshot, readsGenerator: generatorAddress !== null, generation: 0 };
      return { wish, snapshot, source };
    } finally {
      close(kernel.fd);
      close(initrd.fd);
    }
  }

  #machineOf({ generationId, clock }: TemplateWish): Machine {
    // Without RDRAND and RDSEED nothing but the seed and the clock tells siblings apart.
    const cpuModel = `${this.vmm.accelerator === 'kvm' ? 'host' : 'max'},-rdrand,-rdseed`;
    const common = { memoryMiB, cpus: 1, cpuModel, guestMac: null, generationId };
    return clock === 'deterministic' ? { ...common, isDeterministic: true } : common;
  }

  /** It runs; nobody has told it anything. */
  async fork({ snapshot }: LabTemplate): Promise<LabFork> {
    const prepared = await this.vmm.prepare(snapshot, { tapFd: null });
    const vm = await prepared.resume();
    return { vm, guest: new GuestClient(vm.channel('services')) };
  }

  async close(): Promise<void> {
    for (const template of this.#templates.values()) {
      (await template.catch(() => null))?.snapshot.close();
    }
    await this.vmm.close();
    await this.#store.close();
    removeLabFolder(this.#folder);
  }
}

/** Boots, warms what a fork will do, freezes, and opens the window in which no read reseeds by itself. */
async function warmed(vm: RunningVm, { workload }: TemplateWish): Promise<LoadedSnapshot> {
  const control = new ControlChannel(vm.channel('control'));
  const guest = new GuestClient(vm.channel('services'));
  const ask = async (request: ControlRequest, ms = answerMs) => {
    const late = () => new Error(`no answer to ${request.method}; console: ${vm.consoleTail().slice(-500)}`);
    const answer = readAnswer((await within(control.ask(request, maxLineOctets), ms, late)).line);
    if (answer?.ok === true) return answer;
    throw new Error(`${request.method}: ${JSON.stringify(answer)}`);
  };
  try {
    const { versions } = await ask({ method: 'ping' }, bootMs);
    const facts = await ask({ method: 'facts' });
    if (workload !== null) await ask({ method: 'init', argv: workload, timeout_ms: answerMs, background: true });
    await guest.draw(drawsToWarm);
    const allowed = workload === null ? {} : { allow_processes: [{ comm: workloadName }] };
    await ask({ method: 'prepare_snapshot', ...allowed });
    await guest.must({ lab: 'renew' });
    return await vm.save({
      protocolVersions: versions as number[],
      kernelRelease: String(facts.kernel_release),
      generatorSymbol: facts.generator_symbol as string | null,
    });
  } finally {
    control.close();
    await vm.stop();
  }
}

/** What Node names the thread that a process begins with. */
const workloadName = 'node';
