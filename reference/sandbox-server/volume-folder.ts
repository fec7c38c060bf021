/**
 * The images that sandboxes may be given over HTTP: files in the one folder that the operator named.
 * Invariant: nothing outside of it is opened, whatever a client sends or a link in it says, and nothing in it that is
 * no regular file: what is there is looked at before it is opened, by a descriptor that it cannot be exchanged behind.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, type Stats } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

export interface VolumeImage {
  readonly name: string;
  readonly octets: number;
}

export interface OpenedImage extends VolumeImage {
  /** For reading; the caller's. */
  readonly fd: number;
}

/** No separator, and nothing that is hidden. */
export const imageNamePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';
const imageName = new RegExp(imageNamePattern);
/** Of Linux (open(2)): what is named is not opened, a fifo not waited for, a device not touched. */
const O_PATH = 0o10000000;
const writableByOthers = 0o002;
const sectorOctets = 512;
const maxListed = 1_000;

/** @throws CodedError `bad-volume` */
export function openImage(path: string, shown: string, follow = false): OpenedImage {
  const refused = (why: string, cause?: unknown) =>
    new CodedError(
      'bad-volume',
      `${shown} is no image for a volume: ${why}`,
      'name a regular file that holds a file system: mke2fs -t ext4 -d FOLDER IMAGE 64M makes one',
      {
        cause,
      },
    );
  let named: number;
  try {
    named = openSync(path, O_PATH | (follow ? 0 : constants.O_NOFOLLOW));
  } catch (cause) {
    throw refused(faultOf(cause), cause);
  }
  try {
    const stat = fstatSync(named);
    if (!stat.isFile()) throw refused(`it is ${kindOf(stat)}`);
    if (stat.size === 0 || stat.size % sectorOctets !== 0) {
      throw refused(`it has ${stat.size} octets, and a block device a multiple of ${sectorOctets}`);
    }
    return { name: shown, octets: stat.size, fd: openSync(`/proc/self/fd/${named}`, 'r') };
  } catch (cause) {
    throw cause instanceof CodedError ? cause : refused(faultOf(cause), cause);
  } finally {
    closeSync(named);
  }
}

function faultOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is none of that name',
    EACCES: 'it may not be read',
    ELOOP: 'it is a symbolic link',
  };
  return known[code ?? ''] ?? String(code);
}

function kindOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return 'a symbolic link';
  if (stat.isDirectory()) return 'a folder';
  if (stat.isFIFO()) return 'a fifo';
  if (stat.isSocket()) return 'a socket';
  return 'a device node';
}

export class VolumeFolder {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** What its path leads to now is it from now on. @throws CodedError `bad-folder` */
  static open(path: string): VolumeFolder {
    const refused = (what: string, cause?: unknown) =>
      new CodedError(
        'bad-folder',
        `${path}: ${what}`,
        'name a folder of images that only you and root can write to',
        { cause },
      );
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (cause) {
      throw refused(`it cannot be opened as a folder (${(cause as NodeJS.ErrnoException).code})`, cause);
    }
    const { uid, mode } = fstatSync(fd);
    const isForeign = uid !== 0 && uid !== process.geteuid?.();
    if (!isForeign && (mode & writableByOthers) === 0) return new VolumeFolder(fd);
    closeSync(fd);
    throw refused(isForeign ? `it belongs to uid ${uid}` : 'everybody can write to it');
  }

  /** @throws CodedError `bad-volume` */
  open(name: string): OpenedImage {
    if (imageName.test(name)) return openImage(`/proc/self/fd/${this.#fd}/${name}`, name);
    throw new CodedError(
      'bad-volume',
      'an image has a name that none in the folder can have',
      'see the list of images',
    );
  }

  /** Regular files, by name; not more than 1,000. */
  list(): VolumeImage[] {
    const names = readdirSync(`/proc/self/fd/${this.#fd}`).filter((name) => imageName.test(name));
    return names
      .sort()
      .slice(0, maxListed)
      .flatMap((name) => {
        try {
          const { fd, octets } = this.open(name);
          closeSync(fd);
          return [{ name, octets }];
        } catch (error) {
          // What cannot be given to a sandbox is none.
          if (error instanceof CodedError) return [];
          throw error;
        }
      });
  }

  close(): void {
    closeSync(this.#fd);
  }
}
