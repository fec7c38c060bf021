/**
 * Templates and forks of every subject on one VMM, with the host that belongs to the subject.
 * Invariant: a template is built once and forked often; when the lab is closed no VM, folder or descriptor is left.
 */
import type { GuestImage } from '#kvm-lab/artifacts/artifacts.ts';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { type Log, openLog } from '#reference/base/log.ts';
import { close } from '#reference/base/syscalls.ts';
import { within } from '#reference/base/within.ts';
import { type ControlRequest, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type {
  Accelerator,
  LoadedSnapshot,
  Machine,
  RunningVm,
  VmmPort,
} from '#reference/contract/vmm-port.ts';
import { Activation, type ForkSource } from '#reference/fork-engine/activation.ts';
import { ControlChannel, readAnswer } from '#reference/fork-engine/control-channel.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { type Crossing, crossingsOf, type Hear } from './crossings.ts';
import { GuestClient } from './guest-client.ts';
import { type ForkHost, HistoricHost } from './historic-host.ts';
import { messageOf } from './message-of.ts';

export interface TemplateWish {
  readonly image: GuestImage;
  readonly kernel: (typeof forkKernels)[number];
  readonly generationId: Machine['generationId'];
  readonly clock: 'jitter' | 'deterministic';
  /** A program that runs in the background, alive in the snapshot. */
  readonly workload: readonly string[] | null;
  /** Further words of the kernel's command line. */
  readonly words: string;
}

export const plainWish = {
  kernel: '6.1-cloud',
  generationId: 'none',
  clock: 'jitter',
  workload: null,
  words: '',
} as const satisfies Partial<TemplateWish>;

/** Of the attacks: the second one has a driver of the VM generation ID. */
export const forkKernels = ['6.1-cloud', '6.1'] as const;

export interface LabTemplate {
  readonly snapshot: LoadedSnapshot;
  readonly source: ForkSource;
  /** What the agent said of a live process that nobody had declared; null: there was none. */
  readonly undeclared: Readonly<Record<string, unknown>> | null;
  /** The highest that was asked for by its number: it only grows. */
  lastGeneration: number;
}

interface HostOptions {
  readonly deadlineMs: number;
  readonly log: Log;
}

export interface LabFork {
  readonly vm: RunningVm;
  readonly guest: GuestClient;
  /** Between host and guest, so far. */
  readonly crossings: readonly Crossing[];
}

/** The guest's, of a boot on a machine that others use too. */
const bootMs = 180_000;
const answerMs = 60_000;
/** The gate's: guests of TCG on a busy machine are slow, and honest. */
const patientMs = 60_000;
/** For a program of the workload to have begun. */
const settleMs = 5_000;
const memoryMiB = 512;
const drawsToWarm = 2;
/** Half a gigabyte each. */
const maxTemplates = 7;

export class ForkLab {
  readonly vmm: VmmPort;
  readonly #folder: string;
  readonly #templates = new Map<string, Promise<LabTemplate>>();
  readonly #store: WitnessStore;
  readonly #used = new Set<string>();

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

  /** The gate of the subject. @param log of the reference's; else it says nothing */
  async host(
    subject: BuiltInSubject,
    { deadlineMs = patientMs, log = openLog('gate', 'silent') }: Partial<HostOptions> = {},
  ): Promise<ForkHost> {
    if (subject !== 'reference') return HistoricHost.open(subject, deadlineMs);
    return new Activation(this.#store, log, { deadlineMs });
  }

  async template(wish: TemplateWish): Promise<LabTemplate> {
    const key = JSON.stringify(wish);
    const known = this.#templates.get(key);
    // As the youngest.
    this.#templates.delete(key);
    const building = known ?? this.#build(wish);
    this.#templates.set(key, building);
    const [oldest = '', old] = [...this.#templates][0] ?? [];
    if (this.#templates.size > maxTemplates) {
      this.#templates.delete(oldest);
      (await old?.catch(() => null))?.snapshot.close();
    }
    const template = await building;
    this.used(template.snapshot);
    return template;
  }

  /** By an engine with templates of its own. */
  used({ manifest }: Pick<LoadedSnapshot, 'manifest'>): void {
    this.#used.add(manifest.guest.kernelRelease);
  }

  /** Releases of the kernels that were asked for since the last call. */
  kernelsUsed(): string {
    const used = [...this.#used].join(', ');
    this.#used.clear();
    return used;
  }

  async #build(wish: TemplateWish): Promise<LabTemplate> {
    const artifacts = await guestArtifacts(wish.kernel, wish.image);
    const pinned = (destination: string, sha256: string) =>
      openVerified({ destination, sha256, allowUnverified: false });
    const kernel = await pinned(artifacts.kernel, artifacts.kernelSha256);
    const initrd = await pinned(artifacts.initrd, artifacts.initrdSha256);
    try {
      const machine = this.#machineOf(wish);
      const commandLine = `${artifacts.commandLine} ${wish.words}`.trim();
      const vm = await this.vmm.boot({ machine, kernel, initrd, commandLine, place: { tapFd: null } });
      return await warmed(vm, wish);
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
  async fork({ snapshot }: Pick<LabTemplate, 'snapshot'>, hear?: Hear): Promise<LabFork> {
    const prepared = await this.vmm.prepare(snapshot, { tapFd: null });
    const vm = await prepared.resume();
    const crossings = crossingsOf(vm, hear);
    return { vm, guest: new GuestClient(vm.channel('services')), crossings };
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

export function sourceOf({ digest, manifest }: LoadedSnapshot, generation: number): ForkSource {
  const { generatorAtSnapshot, generatorAddress } = manifest;
  return { digest, generatorAtSnapshot, readsGenerator: generatorAddress !== null, generation };
}

type Ask = (request: ControlRequest, ms?: number) => Promise<Readonly<Record<string, unknown>>>;

/** Warms what a fork will do, freezes, and opens the window in which no read reseeds by itself. */
async function warmed(vm: RunningVm, { workload, image }: TemplateWish): Promise<LabTemplate> {
  const control = new ControlChannel(vm.channel('control'));
  const guest = new GuestClient(vm.channel('services'));
  const ask: Ask = async (request, ms = answerMs) => {
    const fault = (what: string, cause?: unknown) =>
      new Error(`${request.method}: ${what}; its console: ${vm.consoleTail().slice(-500)}`, { cause });
    const asked = control.ask(request, maxLineOctets).catch((cause) => {
      throw fault(messageOf(cause), cause);
    });
    const { line } = await within(asked, ms, () => fault('no answer'));
    return readAnswer(line) ?? { ok: false };
  };
  try {
    const { versions } = mustBe(await ask({ method: 'ping' }, bootMs));
    const facts = mustBe(await ask({ method: 'facts' }));
    // Guests of the zoo have no ear for the lab.
    if (image !== 'zoo') await guest.draw(drawsToWarm);
    const undeclared = workload === null ? null : await withProcess(ask, workload);
    const allowed = undeclared === null ? {} : { allow_processes: namedIn(undeclared) };
    mustBe(await ask({ method: 'prepare_snapshot', ...allowed }));
    if (image !== 'zoo') await guest.must({ lab: 'renew' });
    const snapshot = await vm.save({
      protocolVersions: versions as number[],
      kernelRelease: String(facts.kernel_release),
      generatorSymbol: facts.generator_symbol as string | null,
    });
    return { snapshot, source: sourceOf(snapshot, 0), undeclared, lastGeneration: 0 };
  } finally {
    control.close();
    await vm.stop();
  }
}

function mustBe(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (answer.ok === true) return answer;
  throw new Error(`the guest is no template: ${JSON.stringify(answer).slice(0, 500)}`);
}

/** Starts it, and asks for a snapshot without a word of it. */
async function withProcess(ask: Ask, argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  mustBe(await ask({ method: 'init', argv, timeout_ms: answerMs, background: true }));
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return ask({ method: 'prepare_snapshot' });
}

function namedIn({ processes }: Readonly<Record<string, unknown>>): { comm: string }[] {
  return ((processes ?? []) as { comm: string }[]).map(({ comm }) => ({ comm }));
}
