/**
 * The fork engine of a node: templates, sandboxes, a pool, one journal; behind one port for whoever needs sandboxes.
 * Invariant: one engine a folder; at its start nothing is left of what a killed one had, and at its end nothing of this
 * one.
 */
import { closeSync, type Stats } from 'node:fs';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { lockFile } from '#reference/base/file-lock.ts';
import type { Log } from '#reference/base/log.ts';
import { endMarked } from '#reference/base/process-mark.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import type {
  ExecInProgress,
  ForkEnginePort,
  ForkRequest,
  LiveForkRequest,
  RequestEnd,
  Sandbox,
  TakeOutput,
  Template,
  TemplateSpec,
} from '#reference/contract/fork-engine-port.ts';
import type { ExecRequest } from '#reference/contract/guest-protocol.ts';
import type { NetworksPort } from '#reference/contract/network-port.ts';
import type { VmmPort } from '#reference/contract/vmm-port.ts';
import { Activation, type ActivationLimits } from '../fork-engine/activation.ts';
import { checkSecrets, secretVariables } from '../fork-engine/secrets.ts';
import { WitnessStore } from '../fork-engine/witness-store.ts';
import { ForkedVms } from './forked-vms.ts';
import { Journal, type Made } from './journal.ts';
import { NodeSocket, type NodeSocketOptions } from './node-socket.ts';
import { ReadyPool } from './ready-pool.ts';
import { badVolume } from './sandbox-volumes.ts';
import { maxReplicas, Sandboxes } from './sandboxes.ts';
import { StateQuota } from './state-quota.ts';
import { TemplateFolder } from './template-folder.ts';
import { Templates } from './templates.ts';
import { type VmLimits, VmSlots } from './vm-slots.ts';
import { type WarmDeadlines, warmDeadlines } from './warm-guest.ts';

export interface ForkdOptions {
  /** Of templates, witnesses and the journal: mode 0700, nobody else's. */
  readonly folder: string;
  readonly vmm: VmmPort;
  /** null: sandboxes have none. */
  readonly networks: NetworksPort | null;
  readonly log: Log;
  readonly activation?: Partial<ActivationLimits>;
  readonly vms?: Partial<VmLimits>;
  readonly maxTemplates?: number;
  /** Of the disk, for templates. */
  readonly maxStateOctets?: number;
  readonly deadlines?: WarmDeadlines;
  /** For the husks of this node. */
  readonly nodeSocket?: NodeSocketOptions;
}

interface KeptTemplates {
  readonly folder: TemplateFolder;
  readonly known: readonly Template[];
  readonly quota: StateQuota;
}

const defaultMaxTemplates = 16;
const endDeadlineMs = 5_000;

export class Forkd implements ForkEnginePort {
  readonly vmm: string;
  readonly #options: ForkdOptions;
  readonly #lock: number;
  readonly #journal: Journal;
  readonly #store: WitnessStore;
  readonly #vms: ForkedVms;
  readonly #templates: Templates;
  readonly #sandboxes: Sandboxes;
  #nodeSocket: NodeSocket | null = null;
  readonly #pools = new Map<string, ReadyPool>();
  readonly #begun = new Set<Promise<void>>();
  #closing: Promise<void> | null = null;

  private constructor(
    options: ForkdOptions,
    lock: number,
    journal: Journal,
    store: WitnessStore,
    { folder, known, quota }: KeptTemplates,
  ) {
    const { vmm, log, networks, activation: limits, maxTemplates, deadlines = warmDeadlines } = options;
    this.#options = options;
    this.#lock = lock;
    this.#journal = journal;
    this.#store = store;
    this.vmm = `${vmm.name} ${vmm.version} ${vmm.accelerator}`;
    const slots = new VmSlots(options.vms);
    const activation = new Activation(store, log, limits);
    this.#vms = new ForkedVms({ vmm, activation, journal, slots, log });
    this.#templates = new Templates(
      {
        ...{ vmm, folder, slots, store, log, deadlines },
        maxTemplates: maxTemplates ?? defaultMaxTemplates,
      },
      known,
    );
    const freezeMs = deadlines.answerMs;
    this.#sandboxes = new Sandboxes({ vms: this.#vms, activation, store, networks, quota, log, freezeMs });
  }

  /** @throws CodedError `bad-folder`, `forkd-taken`, `journal-failed`, `witness-store-failed`, `left-behind`, `node-socket-taken` */
  static async start(options: ForkdOptions): Promise<Forkd> {
    const { folder, vmm, log } = options;
    await openFolder(folder);
    const lock = lockFolder(folder);
    const opened: { close(): Promise<void> }[] = [];
    try {
      const { journal, left } = await Journal.open(`${folder}/journal`);
      opened.push(journal);
      for (const [entry, made] of left) await takeAway(journal, entry, made);
      const quota = new StateQuota(options.maxStateOctets);
      const templates = new TemplateFolder(`${folder}/templates`, vmm, journal, quota);
      // Sweeps what was half made: its entries are crossed out with it.
      const known = await templates.open();
      for (const [entry, { kind }] of left) if (kind === 'folder') await journal.end(entry);
      if (left.size > 0) log.info({ entries: left.size }, 'took away what a killed run had left');
      const store = await WitnessStore.open(`${folder}/witnesses`, log);
      opened.push(store);
      const named = new Set(known.map(({ snapshot }) => snapshot));
      for (const snapshot of await store.snapshots()) if (!named.has(snapshot)) await store.forget(snapshot);
      const forkd = new Forkd(options, lock, journal, store, { folder: templates, known, quota });
      await forkd.#hearHusks();
      return forkd;
    } catch (error) {
      for (const one of opened) await one.close();
      closeSync(lock);
      throw error;
    }
  }

  async #hearHusks(): Promise<void> {
    const { nodeSocket, log } = this.#options;
    if (nodeSocket === undefined) return;
    const [templates, store] = [this.#templates, this.#store];
    this.#nodeSocket = await NodeSocket.open(nodeSocket, {
      ...{ store, log },
      isTemplate: (snapshot) => templates.ofSnapshot(snapshot) !== null,
      withTemplate: (snapshot, act) => templates.withSnapshot(templates.ofSnapshot(snapshot)?.id ?? '', act),
    });
  }

  buildTemplate(spec: TemplateSpec): Promise<Template> {
    this.#checkOpen();
    return this.#templates.build(spec);
  }

  templates(): readonly Template[] {
    return this.#templates.list();
  }

  async removeTemplate(id: string): Promise<void> {
    await this.#templates.remove(id, async () => {
      await this.#pools.get(id)?.close();
      this.#pools.delete(id);
    });
  }

  async keepReady(id: string, forks: number, isRehearsed = false): Promise<void> {
    this.#checkOpen();
    if (this.#templates.named(id).volumes.length > 0 && forks > 0) {
      throw badVolume(
        'none can be in a fork that nobody has asked for',
        'keep no forks ready of a template with volumes',
      );
    }
    await this.#underWay(
      this.#templates.withSnapshot(id, (snapshot) => {
        const pool = this.#pools.get(id) ?? new ReadyPool(this.#vms, snapshot, this.#options.log);
        this.#pools.set(id, pool);
        return pool.resize(forks, isRehearsed);
      }),
    );
  }

  async fork(request: ForkRequest): Promise<Sandbox> {
    this.#checkOpen();
    checkSecrets(request.secrets);
    const template = this.#templates.named(request.template);
    const isPlain = request.network === null && template.volumes.length === 0;
    return this.#underWay(
      this.#templates.withSnapshot(template.id, async (snapshot) => {
        const pool = isPlain ? this.#pools.get(template.id) : undefined;
        try {
          return await this.#sandboxes.fork(request, template, snapshot, pool?.take() ?? null);
        } finally {
          pool?.refill();
        }
      }),
    );
  }

  forkSandbox(id: string, request: LiveForkRequest): Promise<readonly Sandbox[]> {
    this.#checkOpen();
    const { replicas } = request;
    if (Number.isInteger(replicas) && replicas >= 1 && replicas <= maxReplicas) {
      return this.#underWay(this.#sandboxes.forkSandbox(id, request));
    }
    throw new CodedError('too-many-vms', `replicas is not within 1 and ${maxReplicas}`, 'ask for fewer');
  }

  sandboxes(): readonly Sandbox[] {
    return this.#sandboxes.list();
  }

  exec(id: string, request: ExecRequest, take: TakeOutput): ExecInProgress {
    const { services, secrets } = this.#sandboxes.services(id, 'exec');
    const variables = secretVariables(secrets);
    const env = { ...variables, ...request.env };
    return services.exec(Object.keys(env).length === 0 ? request : { ...request, env }, take);
  }

  async readFile(id: string, path: string, maxOctets: number, take: TakeOutput): Promise<RequestEnd> {
    return this.#sandboxes.services(id, 'files').services.readFile(path, maxOctets, take);
  }

  async writeFile(
    id: string,
    path: string,
    mode: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<RequestEnd> {
    return this.#sandboxes.services(id, 'files').services.writeFile(path, mode, source);
  }

  async list(id: string, path: string) {
    return this.#sandboxes.services(id, 'files').services.list(path);
  }

  async ask(id: string, method: 'stat' | 'remove', path: string): Promise<RequestEnd> {
    return this.#sandboxes.services(id, 'files').services.ask(method, path);
  }

  terminate(id: string): Promise<void> {
    return this.#sandboxes.terminate(id);
  }

  onEnded(listener: (id: string) => void): void {
    this.#sandboxes.onEnded(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** All of it is tried; the first failure is thrown. */
  async #close(): Promise<void> {
    const failures: unknown[] = [];
    const closePools = async () => {
      for (const pool of this.#pools.values()) await pool.close();
    };
    const steps = [
      () => this.#nodeSocket?.close(),
      closePools,
      () => this.#sandboxes.close(),
      // What was begun before ends by itself: refused, or as what is ended next.
      () => Promise.allSettled(this.#begun),
      closePools,
      () => this.#sandboxes.close(),
      () => this.#templates.close(),
      () => this.#options.networks?.close(),
      () => this.#options.vmm.close(),
      () => this.#journal.close(),
      () => this.#store.close(),
      () => closeSync(this.#lock),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #underWay<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.#begun.add(settled);
    void settled.then(() => this.#begun.delete(settled));
    return work;
  }

  #checkOpen(): void {
    if (this.#closing === null) return;
    throw new CodedError('engine-closed', 'the engine is being stopped', 'start another one');
  }
}

/** Made, or this user's already; nobody else's from now on. @throws CodedError `bad-folder` */
async function openFolder(folder: string): Promise<void> {
  const refused = (what: string, cause?: unknown) =>
    new CodedError(
      'bad-folder',
      `${folder}: ${what}`,
      'name a folder that belongs to the user of this process, or one that it can make',
      { cause },
    );
  let stat: Stats;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    stat = await lstat(folder);
  } catch (cause) {
    throw refused('it cannot be made', cause);
  }
  // What a link leads to can be another folder tomorrow.
  if (!stat.isDirectory()) throw refused('it is no folder');
  if (stat.uid !== process.geteuid?.()) throw refused(`it belongs to uid ${stat.uid}`);
  await chmod(folder, 0o700);
}

function lockFolder(folder: string): number {
  try {
    return lockFile(`${folder}/lock`);
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new CodedError(
      'forkd-taken',
      'another engine works in this folder',
      'end it, or give this one a folder of its own',
      { cause },
    );
  }
}

/** What a killed run had made outside of itself. @throws CodedError `left-behind` */
export async function takeAway(
  journal: Journal,
  entry: string,
  made: Made,
  end: typeof endMarked = endMarked,
): Promise<void> {
  if (made.kind === 'folder') return;
  if (made.process !== null && !(await end(made.process, endDeadlineMs))) {
    throw new CodedError(
      'left-behind',
      `process ${made.process.pid} of a killed engine does not end`,
      'see what holds it (ps, dmesg), end it, and start again',
    );
  }
  await journal.end(entry);
}
