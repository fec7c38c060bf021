/**
 * Volumes: block devices of the VM, found by their serial, mounted where the fork was told, taken off before a
 * snapshot.
 * Invariant: no set-user-ID program and no device file on a volume counts for anything; none is mounted over what the
 * agent or the kernel has put there, nor where a link leads; no snapshot is made while anything of one is in use.
 */
import { closeSync, constants, lstatSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import { type GuestVolume, keptFolders } from '#reference/contract/guest-protocol.ts';
import type { SystemCalls } from './system-calls.ts';

const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const UMOUNT_NOFOLLOW = 8;
const BLKFLSBUF = 0x1261;

/** Where the kernel shows block devices; tests have folders of their own. */
export interface VolumePlaces {
  readonly blockDevices: string;
  readonly devices: string;
  readonly fileSystems: string;
}

const kernelPlaces: VolumePlaces = {
  blockDevices: '/sys/block',
  devices: '/dev',
  fileSystems: '/proc/filesystems',
};

interface Mounted {
  readonly volume: GuestVolume;
  readonly device: string;
  readonly kind: string;
}

export class Volumes {
  readonly #calls: Pick<SystemCalls, 'mount' | 'umount' | 'ioctl'>;
  readonly #places: VolumePlaces;
  /** Devices that somebody has from before: an agent in namespaces sees those of the machine. */
  readonly #others: ReadonlySet<string>;
  #mounted: Mounted[] = [];

  constructor(calls: Pick<SystemCalls, 'mount' | 'umount' | 'ioctl'>, places = kernelPlaces) {
    this.#calls = calls;
    this.#places = places;
    this.#others = new Set(
      this.#serials().flatMap(({ device }) => (openingFault(device) === null ? [] : [device])),
    );
  }

  /** @throws CodedError `no-volume`, `volume-outside`, `volume-taken`, `volume-empty`; SyscallError */
  mount(volume: GuestVolume): void {
    const { serial, path } = volume;
    const device = this.#deviceOf(serial);
    if (this.#mounted.some((other) => other.volume.path === path || other.device === device)) {
      const remedy = 'give each volume a path of its own, once';
      throw new CodedError('volume-taken', 'a volume or its path is mounted already', remedy);
    }
    checkPath(path);
    mkdirSync(path, { recursive: true });
    this.#flush(device);
    this.#mounted.push({ volume, device, kind: this.#mountAny(device, volume) });
  }

  /**
   * Written out and taken off, the last one first: a fork may find something else in their places.
   * @returns why not, and all are as they were; null: nothing of a volume is in use
   * @throws SyscallError when one cannot be put back
   */
  detach(): string | null {
    const before = this.#mounted;
    for (const one of before.toReversed()) {
      const refusal = this.#takeOff(one);
      if (refusal !== null) {
        for (const gone of before.slice(this.#mounted.length)) this.#putBack(gone);
        return refusal;
      }
    }
    // Whoever is root in the guest mounts what it likes.
    const used = this.#own().find(({ device }) => isUsed(device));
    if (used === undefined) return null;
    for (const gone of before) this.#putBack(gone);
    return `the volume ${used.serial} is in use beside its mount`;
  }

  #takeOff({ volume }: Mounted): string | null {
    try {
      this.#calls.umount(volume.path, UMOUNT_NOFOLLOW);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return `the volume ${volume.serial} cannot be unmounted: ${error.code}`;
    }
    this.#mounted = this.#mounted.slice(0, -1);
    return null;
  }

  #putBack(one: Mounted): void {
    this.#calls.mount(one.device, one.volume.path, one.kind, flagsOf(one.volume), '');
    this.#mounted = [...this.#mounted, one];
  }

  /** What the kernel remembers of a device is of what was in its place before. */
  #flush(device: string): void {
    const fd = openSync(device, constants.O_RDONLY);
    try {
      this.#calls.ioctl(fd, BLKFLSBUF, new Uint8Array(0));
    } finally {
      closeSync(fd);
    }
  }

  /** @returns the kind of its file system */
  #mountAny(device: string, volume: GuestVolume): string {
    for (const kind of this.#fileSystems()) {
      try {
        this.#calls.mount(device, volume.path, kind, flagsOf(volume), '');
        return kind;
      } catch (error) {
        // Not of this kind.
        if (!(error instanceof SyscallError) || error.code !== 'EINVAL') throw error;
      }
    }
    throw new CodedError(
      'volume-empty',
      'a volume holds no file system that the guest’s kernel knows, or there is none in its slot',
      'attach a volume, with a file system that docs/guests.md names',
    );
  }

  /** Those that a block device may hold, as the kernel lists them. */
  #fileSystems(): string[] {
    const lines = readFileSync(this.#places.fileSystems, 'latin1').split('\n');
    return lines.filter((line) => line.startsWith('\t')).map((line) => line.trim());
  }

  #deviceOf(serial: string): string {
    const found = this.#own().find((one) => one.serial === serial);
    if (found !== undefined) return found.device;
    throw new CodedError(
      'no-volume',
      'no block device of the guest has the serial of a volume',
      'give the VM a virtio-blk device of that serial',
    );
  }

  #own() {
    return this.#serials().filter(({ device }) => !this.#others.has(device));
  }

  #serials(): { readonly serial: string; readonly device: string }[] {
    const { blockDevices, devices } = this.#places;
    return readdirSync(blockDevices).flatMap((name) => {
      const serial = textOf(`${blockDevices}/${name}/serial`);
      return serial === null || serial === '' ? [] : [{ serial, device: `${devices}/${name}` }];
    });
  }
}

/** A mount, wherever it is, holds its device for itself. */
function isUsed(device: string): boolean {
  const fault = openingFault(device);
  if (fault === null || fault.code === 'EBUSY') return fault !== null;
  throw fault;
}

/** null: it could be had by this process alone. */
function openingFault(device: string): NodeJS.ErrnoException | null {
  try {
    closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL));
    return null;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

const flagsOf = ({ readonly }: GuestVolume) => MS_NOSUID | MS_NODEV | (readonly ? MS_RDONLY : 0);

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const isWithin = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** @throws CodedError `volume-outside` */
function checkPath(path: string): void {
  const parts = path.slice(1).split('/');
  const folders = parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
  const isKept = keptFolders.some((folder) => isWithin(path, folder) || isWithin(folder, path));
  if (!isKept && folders.every(isFolderOrNothing)) return;
  throw new CodedError(
    'volume-outside',
    'a volume is to be mounted where the guest keeps its own, or through a link',
    `name a folder outside of ${keptFolders.join(', ')}`,
  );
}

const isFolderOrNothing = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? true;
