/**
 * The volumes of one sandbox: the files that it was given, where its guest mounts them, and its share of the disk.
 * Invariant: each volume that the template declares is there, once; what guests may write to private ones is counted
 * whole before it is written, until the sandbox has ended; nothing of them has a name.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { TemplateVolume } from '#reference/contract/fork-engine-port.ts';
import { type GuestVolume, keptFolders } from '#reference/contract/guest-protocol.ts';
import type { Volume } from '#reference/contract/vmm-port.ts';
import { overlayOctets } from '../vmm/volumes/overlay.ts';
import type { StateQuota } from './state-quota.ts';

const maxPathOctets = 4_095;

export function badVolume(what: string, remedy: string, cause?: unknown): CodedError {
  return new CodedError('bad-volume', `a volume cannot be given to a VM: ${what}`, remedy, { cause });
}

const isWithin = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** Absolute, in its one form, and nothing that is the guest's own. */
function pathFault(path: string): string | null {
  const parts = path.slice(1).split('/');
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (!path.startsWith('/') || !isPlain || path.includes('\0')) return 'is no absolute path in its one form';
  if (Buffer.byteLength(path) > maxPathOctets) return `is longer than ${maxPathOctets} octets`;
  const kept = keptFolders.find((folder) => isWithin(path, folder) || isWithin(folder, path));
  return kept === undefined ? null : `would be mounted over, in or above ${kept}, which is the guest’s own`;
}

/** What their slots may be is the VMM's to say. @throws CodedError `bad-volume` */
export function checkTemplateVolumes(volumes: readonly TemplateVolume[]): void {
  const remedy = `mount it on a folder of its own, outside of ${keptFolders.join(', ')}`;
  for (const { serial, path } of volumes) {
    const fault = pathFault(path);
    if (fault !== null) throw badVolume(`the path of ${serial} ${fault}`, remedy);
    if (volumes.filter((other) => other.path === path).length > 1) {
      throw badVolume(`${serial} and another one would be mounted on one path`, remedy);
    }
  }
}

/** One each, and no other. @throws CodedError `bad-volume` */
function checkGiven(declared: readonly TemplateVolume[], given: readonly Volume[]): void {
  const serials = given.map(({ serial }) => serial);
  const remedy = 'give an image for each volume that the template declares, once; see the list of templates';
  const missing = declared.find(({ serial }) => !serials.includes(serial));
  if (missing !== undefined)
    throw badVolume(`the template declares ${missing.serial}, and none is given`, remedy);
  if (serials.some((serial) => !declared.some((slot) => slot.serial === serial))) {
    throw badVolume('the template declares none of its serial', remedy);
  }
  const twice = serials.find((serial, index) => serials.indexOf(serial) !== index);
  if (twice !== undefined) throw badVolume(`${twice} is given twice`, remedy);
}

/** What a file is at one time; who writes into it changes that. */
interface Seen {
  readonly fd: number;
  readonly octets: bigint;
  readonly modifiedNs: bigint;
}

function seen(fd: number): Seen {
  const { size, mtimeNs } = fstatSync(fd, { bigint: true });
  return { fd, octets: size, modifiedNs: mtimeNs };
}

export class SandboxVolumes {
  readonly #declared: readonly TemplateVolume[];
  readonly #files = new Map<string, Seen>();
  readonly #giveBack: () => void;

  private constructor(declared: readonly TemplateVolume[], giveBack: () => void) {
    this.#declared = declared;
    this.#giveBack = giveBack;
  }

  /**
   * Has descriptors of its own.
   * @param name of the sandbox
   * @throws CodedError `bad-volume`, `state-full`
   */
  static open(
    name: string,
    declared: readonly TemplateVolume[],
    given: readonly Volume[],
    quota: StateQuota,
  ): SandboxVolumes {
    checkGiven(declared, given);
    const ofDisk = `volumes of ${name}`;
    const octets = declared.map((slot) => (slot.access === 'private' ? overlayOctets(slot.octets) : 0));
    const total = octets.reduce((sum, one) => sum + one, 0);
    if (total > 0) quota.take(ofDisk, total);
    const volumes = new SandboxVolumes(declared, () => quota.giveBack(ofDisk));
    try {
      for (const { serial, fd } of given)
        volumes.#files.set(serial, seen(openSync(`/proc/self/fd/${fd}`, 'r')));
      return volumes;
    } catch (cause) {
      volumes.close();
      throw badVolume('its file cannot be opened for reading', 'see that the file can be read', cause);
    }
  }

  get serials(): readonly string[] {
    return this.#declared.map(({ serial }) => serial);
  }

  /** Whose contents are this sandbox's alone. */
  get privateSerials(): readonly string[] {
    return this.#declared.filter(({ access }) => access === 'private').map(({ serial }) => serial);
  }

  /** Until the sandbox ends; none afterwards. */
  get attached(): readonly Volume[] {
    return [...this.#files].map(([serial, { fd }]) => ({ serial, fd }));
  }

  /** Of its own for as long as `act` takes, whatever ends meanwhile: a closed descriptor is soon another file's. */
  async lending<T>(act: (volumes: readonly Volume[]) => Promise<T>): Promise<T> {
    const lent: Volume[] = [];
    try {
      for (const { serial, fd } of this.attached)
        lent.push({ serial, fd: openSync(`/proc/self/fd/${fd}`, 'r') });
      return await act(lent);
    } finally {
      for (const { fd } of lent) closeSync(fd);
    }
  }

  /** For the guest, in the order of the template. */
  get mounts(): readonly GuestVolume[] {
    return this.#declared.map(({ serial, path, access }) => ({
      serial,
      path,
      readonly: access === 'readonly',
    }));
  }

  /** Who was forked before it was changed would read one thing, and who is forked now another. @throws CodedError `bad-volume` */
  checkUnchanged(): void {
    for (const [serial, before] of this.#files) {
      const now = seen(before.fd);
      if (now.octets === before.octets && now.modifiedNs === before.modifiedNs) continue;
      throw badVolume(
        `the image of ${serial} has been written to since the sandbox was forked`,
        'never change an image that sandboxes have; terminate them, and fork the template',
      );
    }
  }

  /** Idempotent. */
  close(): void {
    for (const { fd } of this.#files.values()) closeSync(fd);
    this.#files.clear();
    this.#giveBack();
  }
}
