/**
 * The templates of an engine: built once each, kept on the disk and in sealed memory.
 * Invariant: two builds of the same thing are one; what a template was built from, the VMM included, is its id.
 */
import { hash } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import type { ArchiveEntry } from '#reference/base/newc-archive.ts';
import { close } from '#reference/base/syscalls.ts';
import type { Template, TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import type { LoadedSnapshot, Machine, SealedFile, VmmPort } from '#reference/contract/vmm-port.ts';
import type { WitnessKeeperPort } from '#reference/contract/witness-port.ts';
import { openVerified } from '../vmm/sealed-files.ts';
import { digestOf, entriesOf, layerOver } from './rootfs-layer.ts';
import { checkTemplateVolumes } from './sandbox-volumes.ts';
import type { TemplateFolder } from './template-folder.ts';
import type { VmSlots } from './vm-slots.ts';
import { type WarmDeadlines, warmAndSave } from './warm-guest.ts';

export interface TemplatesParts {
  readonly vmm: VmmPort;
  readonly folder: TemplateFolder;
  readonly slots: VmSlots;
  readonly store: WitnessKeeperPort;
  readonly log: Log;
  readonly maxTemplates: number;
  readonly deadlines?: WarmDeadlines;
}

/** Each is alone behind its tap. */
export const guestMac = '02:00:00:00:00:02';

export class Templates {
  readonly #parts: TemplatesParts;
  readonly #known = new Map<string, Template>();
  readonly #building = new Map<string, Promise<Template>>();
  readonly #loaded = new Map<string, Promise<LoadedSnapshot>>();
  readonly #uses = new Map<string, Set<Promise<unknown>>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: TemplatesParts, known: readonly Template[]) {
    this.#parts = parts;
    for (const template of known) this.#known.set(template.id, template);
  }

  list(): Template[] {
    return [...this.#known.values()];
  }

  /** @throws CodedError `no-such-template` */
  named(id: string): Template {
    const template = this.#known.get(id);
    if (template !== undefined) return template;
    throw new CodedError(
      'no-such-template',
      'there is no template of that id',
      'build it first; see the list',
    );
  }

  /**
   * In sealed memory, hashed at the first call after a start; its descriptors stay open until `act` has ended.
   * @throws CodedError `no-such-template`, `snapshot-mismatch`
   */
  async withSnapshot<T>(id: string, act: (snapshot: LoadedSnapshot) => Promise<T>): Promise<T> {
    const template = this.named(id);
    const loading = this.#loaded.get(id) ?? this.#load(template);
    const using = loading.then(act);
    const uses = this.#uses.get(id) ?? new Set();
    this.#uses.set(id, uses.add(using));
    try {
      return await using;
    } finally {
      uses.delete(using);
    }
  }

  /** null: no template of that snapshot stands. */
  ofSnapshot(digest: string): Template | null {
    return this.list().find(({ snapshot }) => snapshot === digest) ?? null;
  }

  #load(template: Template): Promise<LoadedSnapshot> {
    const { id } = template;
    const loading = this.#parts.folder.load(template);
    this.#loaded.set(id, loading);
    loading.catch(() => this.#loaded.delete(id));
    return loading;
  }

  /** @throws CodedError as the port says */
  async build(spec: TemplateSpec): Promise<Template> {
    checkTemplateVolumes(spec.volumes ?? []);
    // One after the other: what a folder holds is in memory until it is known.
    const identified = this.#turn.then(() => this.#identify(spec));
    this.#turn = identified.catch(() => undefined);
    return identified.then(({ id, machine, layer }) => {
      const there = this.#known.get(id) ?? this.#building.get(id);
      if (there !== undefined) return there;
      const building = this.#make(id, spec, machine, layer).finally(() => this.#building.delete(id));
      this.#building.set(id, building);
      return building;
    });
  }

  /**
   * No fork of it is begun any more; those that run go on.
   * @param emptied what is prepared of it is gone when this ends
   * @throws CodedError `no-such-template`
   */
  async remove(id: string, emptied: () => Promise<void>): Promise<void> {
    const template = this.named(id);
    this.#known.delete(id);
    await emptied();
    // Who was about to fill the pool may have done so meanwhile.
    await Promise.allSettled(this.#uses.get(id) ?? []);
    await emptied();
    await this.#unload(id);
    await this.#parts.folder.remove(template);
    await this.#parts.store.forget(template.snapshot);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#building.values());
    for (const id of [...this.#loaded.keys()]) await this.#unload(id);
  }

  /** A descriptor that is closed while it is used is soon another file's. */
  async #unload(id: string): Promise<void> {
    await Promise.allSettled(this.#uses.get(id) ?? []);
    this.#uses.delete(id);
    const loaded = this.#loaded.get(id);
    this.#loaded.delete(id);
    (await loaded?.catch(() => undefined))?.close();
  }

  #machineOf({ memoryMiB, cpus, volumes = [] }: TemplateSpec): Machine {
    const cpuModel = this.#parts.vmm.accelerator === 'kvm' ? 'host' : 'max';
    const machine = { memoryMiB, cpus, cpuModel, guestMac, generationId: 'fresh' as const };
    const slots = volumes.map(({ serial, octets, access }) => ({ serial, octets, access }));
    return slots.length === 0 ? machine : { ...machine, volumes: slots };
  }

  async #identify(spec: TemplateSpec) {
    const { vmm } = this.#parts;
    const { name, version, accelerator } = vmm;
    const { kernel, initrd, rootfs, commandLine, init, allowProcesses } = spec;
    const machine = this.#machineOf(spec);
    const layer = rootfs === null ? null : await entriesOf(rootfs);
    const digests = [kernel.sha256, initrd.sha256].map((digest) => digest.toLowerCase());
    // Of a VMM that is started otherwise, of another release of ours, a template is another one.
    const said = vmm.argumentsOf(machine);
    const parts = [
      ...[1, name, version, accelerator, machine, said, digests, layer === null ? null : digestOf(layer)],
      ...[commandLine, init, allowProcesses],
      ...(spec.volumes ?? []).map(({ path }) => path),
    ];
    return { id: hash('sha256', JSON.stringify(parts)), machine, layer };
  }

  async #make(
    id: string,
    spec: TemplateSpec,
    machine: Machine,
    layer: readonly ArchiveEntry[] | null,
  ): Promise<Template> {
    const startMs = performance.now();
    const { vmm, folder, slots, log, maxTemplates, deadlines } = this.#parts;
    if (this.#known.size + this.#building.size >= maxTemplates) {
      throw new CodedError(
        'too-many-templates',
        `${maxTemplates} templates stand or are being built`,
        'remove one that nobody forks any more',
      );
    }
    const snapshot = await slots.during(async () => {
      const images = await openImages(spec, layer);
      try {
        const place = { tapFd: null };
        const vm = await vmm.boot({ machine, ...images, commandLine: spec.commandLine, place });
        return await warmAndSave(vm, spec, deadlines);
      } finally {
        for (const { fd } of Object.values(images)) close(fd);
      }
    });
    try {
      const template: Template = {
        id,
        snapshot: snapshot.digest,
        memoryMiB: machine.memoryMiB,
        createdMs: Date.now(),
        buildMs: Math.round(performance.now() - startMs),
        readsGenerator: snapshot.manifest.generatorAddress !== null,
        volumes: spec.volumes ?? [],
      };
      await folder.store(template, snapshot);
      this.#known.set(id, template);
      this.#loaded.set(id, Promise.resolve(snapshot));
      log.info({ template: id, snapshot: snapshot.digest, buildMs: template.buildMs }, 'template built');
      return template;
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }
}

/** @throws CodedError `kernel-refused`, `bad-rootfs` */
async function openImages(
  { kernel, initrd }: TemplateSpec,
  layer: readonly ArchiveEntry[] | null,
): Promise<{ readonly kernel: SealedFile; readonly initrd: SealedFile }> {
  const opened: SealedFile[] = [];
  const open = async ({ path, sha256 }: TemplateSpec['kernel']) => {
    const file = await openVerified({ sha256, allowUnverified: false, destination: path });
    opened.push(file);
    return file;
  };
  try {
    const [first, second] = [await open(kernel), await open(initrd)];
    if (layer === null) return { kernel: first, initrd: second };
    const layered = await layerOver(second, layer);
    close(second.fd);
    return { kernel: first, initrd: layered };
  } catch (error) {
    for (const { fd } of opened) close(fd);
    throw error;
  }
}
