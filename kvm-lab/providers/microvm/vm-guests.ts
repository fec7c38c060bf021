/**
 * The guests of the lab `microvm`: forks of one template, one behind each tap, through the gate that engines have.
 * Invariant: a guest is handed out released, or it is reaped; all have ended when `close` has.
 */
import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import { openLog } from '#reference/base/log.ts';
import type { Accelerator, LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { ServiceChannel } from '#reference/fork-engine/service-channel.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import type { GuestEnd, GuestSource, HonestGuest } from '../network-lab.ts';
import { probeAccelerator } from './accelerator.ts';
import { hostileSnapshot } from './hostile-template.ts';
import { VmGuest } from './vm-guest.ts';
import { VmHonestGuest } from './vm-honest-guest.ts';

const log = openLog('lab', 'warn');
/** A guest under TCG on a machine that is busy answers late, and is no worse for it. */
const gateDeadlineMs = 60_000;

interface Open {
  readonly vmm: VmmPort;
  readonly snapshot: LoadedSnapshot;
  readonly store: WitnessStore;
  readonly folder: string;
  readonly activation: Activation;
}

/** Where a run has told its workers what its probe found: one boot instead of one each. */
export const acceleratorVariable = 'HUSKPROOF_ACCELERATOR';

async function acceleratorHere(): Promise<Accelerator> {
  const told = process.env[acceleratorVariable];
  return told === 'kvm' || told === 'tcg' ? told : (await probeAccelerator()).accelerator;
}

async function open(accelerator: Accelerator): Promise<Open> {
  const vmm = await openQemu(accelerator);
  const folder = makeLabFolder('witnesses');
  try {
    const snapshot = await hostileSnapshot(vmm);
    const store = await WitnessStore.open(folder, log);
    const activation = new Activation(store, log, { deadlineMs: gateDeadlineMs, requireWitness: true });
    return { vmm, snapshot, store, folder, activation };
  } catch (error) {
    removeLabFolder(folder);
    await vmm.close();
    throw error;
  }
}

export class VmGuests implements GuestSource {
  readonly name = 'microvm';
  readonly #accelerator: Accelerator | null;
  #opened: Promise<Open> | null = null;

  /** @param accelerator null: what the run has found, or a probe finds now */
  constructor(accelerator: Accelerator | null = null) {
    this.#accelerator = accelerator;
  }

  #open(): Promise<Open> {
    this.#opened ??= this.#begin();
    return this.#opened;
  }

  async #begin(): Promise<Open> {
    return open(this.#accelerator ?? (await acceleratorHere()));
  }

  /** The template stands; how guests are run, and what kernel is theirs: `qemu 7.2.22 (Debian …) tcg, Linux 6.1.0-…`. */
  async engine(): Promise<string> {
    const { vmm, snapshot } = await this.#open();
    return `${vmm.name} ${vmm.version} ${vmm.accelerator}, Linux ${snapshot.manifest.guest.kernelRelease}`;
  }

  async behind(tapFd: number, place: SandboxPlace): Promise<VmGuest> {
    const { vmm, snapshot, activation } = await this.#open();
    const { manifest, digest } = snapshot;
    const vm = await (await vmm.prepare(snapshot, { tapFd })).resume();
    await activation.activate({
      vm,
      source: {
        digest,
        generatorAtSnapshot: manifest.generatorAtSnapshot,
        readsGenerator: manifest.generatorAddress !== null,
        generation: 0,
      },
      configuration: {
        network: {
          address: `${place.ipv4.guest}/30`,
          gateway: place.ipv4.gateway,
          resolvers: [place.ipv4.resolver],
        },
      },
      reap: () => vm.stop(),
    });
    try {
      activation.deliver(vm.id, 'exec');
      const services = new ServiceChannel(vm.channel('services'));
      const guest = new VmGuest({ pid: vm.pid, services, end: () => activation.end(vm.id) }, place);
      await guest.order({ do: 'take' });
      return guest;
    } catch (error) {
      await activation.end(vm.id);
      throw error;
    }
  }

  honest(end: GuestEnd): HonestGuest {
    if (!(end instanceof VmGuest)) throw new TypeError('a guest of this provider');
    return new VmHonestGuest(end);
  }

  async close(): Promise<void> {
    // Who waited for it was told why it did not open, and it has left nothing.
    const opened = await this.#opened?.catch(() => null);
    this.#opened = null;
    if (opened === null || opened === undefined) return;
    const { vmm, snapshot, store, folder } = opened;
    try {
      await vmm.close();
      snapshot.close();
      await store.close();
    } finally {
      removeLabFolder(folder);
    }
  }
}
