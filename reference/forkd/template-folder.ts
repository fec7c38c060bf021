/**
 * Templates on the disk: a folder each, that is there whole or not at all.
 * Invariant: what is half made or half removed has a name of its own, stands in the journal, and is swept at the next
 * start.
 */
import { fstatSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Template } from '#reference/contract/fork-engine-port.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { syncFolder } from '../fork-engine/witness-file.ts';
import type { Journal } from './journal.ts';
import { blockOctets, octetsOnDisk, StateQuota } from './state-quota.ts';

const description = 'template.json';
const snapshotFolder = 'snapshot';
/** Folders, manifest and description. */
const spareForManifest = 64 << 10;
/** Beyond what a snapshot needs. */
const spareOctets = 64 << 20;

export class TemplateFolder {
  readonly #path: string;
  readonly #vmm: VmmPort;
  readonly #journal: Journal;

  readonly #quota: StateQuota;

  constructor(path: string, vmm: VmmPort, journal: Journal, quota: StateQuota = new StateQuota()) {
    this.#quota = quota;
    this.#path = path;
    this.#vmm = vmm;
    this.#journal = journal;
  }

  /** Those that are there. What a killed run left half made is gone before. */
  async open(): Promise<Template[]> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    const templates: Template[] = [];
    for (const name of await readdir(this.#path)) {
      if (name.startsWith('.')) await rm(`${this.#path}/${name}`, { recursive: true, force: true });
      else {
        const text = await readFile(`${this.#path}/${name}/${description}`, 'utf8');
        // Templates of older engines have none, and do not say so.
        templates.push({ volumes: [], ...(JSON.parse(text) as Omit<Template, 'volumes'>) });
        this.#quota.set(name, await octetsOnDisk(`${this.#path}/${name}`));
      }
    }
    return templates;
  }

  /** @throws CodedError `disk-full`, `state-full` */
  async store(template: Template, snapshot: LoadedSnapshot): Promise<void> {
    await this.#checkSpace(snapshot);
    const { id } = template;
    this.#quota.take(id, octetsOf(snapshot));
    try {
      await this.#write(template, snapshot);
      this.#quota.set(id, await octetsOnDisk(`${this.#path}/${id}`));
    } catch (error) {
      this.#quota.giveBack(id);
      throw error;
    }
  }

  async #write(template: Template, snapshot: LoadedSnapshot): Promise<void> {
    const half = `.making-${template.id}`;
    const entry = `template-${template.id}`;
    await this.#journal.begin(entry, { kind: 'folder', name: half });
    const path = `${this.#path}/${half}`;
    try {
      await mkdir(path, { mode: 0o700 });
      await this.#vmm.store(snapshot, `${path}/${snapshotFolder}`);
      const file = await open(`${path}/${description}`, 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify(template));
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(path);
      await rename(path, `${this.#path}/${template.id}`);
      await syncFolder(this.#path);
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      await this.#journal.end(entry);
      throw error;
    }
    await this.#journal.end(entry);
  }

  load({ id, snapshot }: Template): Promise<LoadedSnapshot> {
    return this.#vmm.load(`${this.#path}/${id}/${snapshotFolder}`, snapshot);
  }

  /** It is no template any more from the first step on. */
  async remove({ id }: Template): Promise<void> {
    const half = `.removing-${id}`;
    const entry = `template-${id}`;
    await this.#journal.begin(entry, { kind: 'folder', name: half });
    await rename(`${this.#path}/${id}`, `${this.#path}/${half}`);
    await syncFolder(this.#path);
    await rm(`${this.#path}/${half}`, { recursive: true });
    this.#quota.giveBack(id);
    await this.#journal.end(entry);
  }

  async #checkSpace({ manifest }: LoadedSnapshot): Promise<void> {
    const { bavail, bsize } = await statfs(this.#path);
    const needed = manifest.memory.octets + manifest.deviceState.octets + spareOctets;
    if (bavail * bsize >= needed) return;
    throw new CodedError(
      'disk-full',
      `a template of ${needed} octets does not fit`,
      'free space in the folder of the engine, or remove a template',
    );
  }
}

/** At most: pages of zeros that sealed memory holds are not written. */
function octetsOf({ memory, deviceState }: LoadedSnapshot): number {
  const parts = [memory, deviceState].map(({ fd }) => fstatSync(fd).blocks * blockOctets);
  return parts.reduce((sum, one) => sum + one, spareForManifest);
}
