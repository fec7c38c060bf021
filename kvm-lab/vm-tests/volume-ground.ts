/** Forks of one template that have volumes, through the gate: with the guest agent of the reference in them. */
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { openLog } from '#reference/base/log.ts';
import { close } from '#reference/base/syscalls.ts';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import type { ExecRequest, ForkConfiguration } from '#reference/contract/guest-protocol.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type { LoadedSnapshot, RunningVm, VmmPort, Volume, VolumeSlot } from '#reference/contract/vmm-port.ts';
import { type ActivatedFork, Activation } from '#reference/fork-engine/activation.ts';
import { readAnswer } from '#reference/fork-engine/control-channel.ts';
import { ServiceChannel } from '#reference/fork-engine/service-channel.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { warmAndSave } from '#reference/forkd/warm-guest.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { imageOctets } from './volume-images.ts';

export const slots: readonly VolumeSlot[] = [
  { serial: 'shared', octets: imageOctets, access: 'readonly' },
  { serial: 'own', octets: imageOctets, access: 'private' },
];

/** Machines under load answer late: that is no lie. */
const deadlineMs = 30_000;

/** @param kernelName as `guestArtifacts` names it; its default else */
export async function volumeTemplate(vmm: VmmPort, kernelName?: string): Promise<LoadedSnapshot> {
  const artifacts = await guestArtifacts(kernelName);
  const open = (destination: string, sha256: string) =>
    openVerified({ destination, sha256, allowUnverified: false });
  const kernel = await open(artifacts.kernel, artifacts.kernelSha256);
  const initrd = await open(artifacts.initrd, artifacts.initrdSha256);
  try {
    const vm = await vmm.boot({
      machine: {
        memoryMiB: 512,
        cpus: 1,
        cpuModel: 'max',
        guestMac: null,
        generationId: 'fresh',
        volumes: slots,
      },
      ...{ kernel, initrd, commandLine: artifacts.commandLine, place: { tapFd: null } },
    });
    return await warmAndSave(vm, { init: [], allowProcesses: [] }, { bootMs: 240_000, answerMs: 60_000 });
  } finally {
    for (const { fd } of [kernel, initrd]) close(fd);
  }
}

/** A released fork. */
export class VolumeFork {
  readonly vm: RunningVm;
  readonly #activated: ActivatedFork;
  readonly #services: ServiceChannel;

  constructor(vm: RunningVm, activated: ActivatedFork) {
    this.vm = vm;
    this.#activated = activated;
    this.#services = new ServiceChannel(vm.channel('services'));
  }

  get generation(): number {
    return this.#activated.generation;
  }

  /** What a script says, its fault included. */
  async sh(script: string): Promise<string> {
    const { said, end } = await this.run(script);
    return `${said}${end.ok ? '' : ` [${end.error}]`}`;
  }

  async run(
    script: string,
    more: Partial<ExecRequest> = {},
  ): Promise<{ readonly said: string; readonly end: RequestEnd }> {
    const chunks: Buffer[] = [];
    const order = {
      argv: ['/bin/sh', '-c', `exec 2>&1; ${script}`],
      timeout_ms: 60_000,
      max_output_octets: 1 << 16,
    };
    const { ended } = this.#services.exec(
      { ...order, ...more },
      (_stream, octets) => void chunks.push(octets),
    );
    const end = await ended;
    return { said: Buffer.concat(chunks).toString().trim(), end };
  }

  async prepareSnapshot(): Promise<Readonly<Record<string, unknown>> | null> {
    const { line } = await this.#activated.control.ask({ method: 'prepare_snapshot' }, maxLineOctets);
    return readAnswer(line);
  }
}

export class VolumeGround {
  readonly #vmm: VmmPort;
  readonly #store: WitnessStore;
  readonly #activation: Activation;

  private constructor(vmm: VmmPort, store: WitnessStore, activation: Activation) {
    this.#vmm = vmm;
    this.#store = store;
    this.#activation = activation;
  }

  /** @param folder of the witnesses */
  static async open(vmm: VmmPort, folder: string): Promise<VolumeGround> {
    const log = openLog('volumes', 'error');
    const store = await WitnessStore.open(folder, log);
    return new VolumeGround(vmm, store, new Activation(store, log, { deadlineMs }));
  }

  /**
   * @param generation that the agent has seen
   * @throws CodedError `fork-refused`, its message with the last that the guest said on its console
   */
  async fork(
    snapshot: LoadedSnapshot,
    attached: readonly Volume[],
    volumes: NonNullable<ForkConfiguration['volumes']>,
    generation = 0,
  ): Promise<VolumeFork> {
    const prepared = await this.#vmm.prepare(snapshot, { tapFd: null, volumes: attached });
    const vm = await prepared.resume();
    const { digest, manifest } = snapshot;
    const { generatorAtSnapshot, generatorAddress } = manifest;
    const source = { digest, generatorAtSnapshot, readsGenerator: generatorAddress !== null, generation };
    try {
      const activated = await this.#activation.activate({
        ...{ vm, source, configuration: { volumes } },
        reap: () => vm.stop(),
      });
      return new VolumeFork(vm, activated);
    } catch (error) {
      if (error instanceof Error) error.message += `; it said: ${vm.consoleTail().slice(-500)}`;
      throw error;
    }
  }

  end({ vm }: VolumeFork): Promise<void> {
    return this.#activation.end(vm.id);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }
}
