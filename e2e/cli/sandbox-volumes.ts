/** `--volume SRC:/path[:ro]` of `pnpm sandbox run` and `create`: images of file systems, and where they are mounted. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { TemplateVolume } from '#reference/contract/fork-engine-port.ts';
import type { VolumeImage } from '#reference/sandbox-server/volume-folder.ts';

/** @see volumeHelp */
export const volumeFlag = '--volume <SRC:/path[:ro]>';
export const volumeFlagHelp =
  'mount an image of a file system; what is written to it is gone with the sandbox; repeat it';
export const volumeHelp = `SRC is a file with a file system (ext4): mke2fs -t ext4 -d FOLDER image.ext4 64M makes one
of a folder. It is never written: with :ro all sandboxes read it, else each has a copy of its own, which ends with it.
Where a server runs, SRC is the name of a file in its --volumes folder.`;

export interface AskedVolume {
  readonly source: string;
  readonly path: string;
  readonly access: TemplateVolume['access'];
}

const form = /^(.+?):(\/.*?)(?::(ro))?$/s;

/** @throws CodedError `bad-value` */
export function parseVolume(text: string, before: readonly AskedVolume[]): readonly AskedVolume[] {
  const [, source, path, readonly] = form.exec(text) ?? [];
  if (source !== undefined && path !== undefined && !path.includes(':')) {
    return [...before, { source, path, access: readonly === undefined ? 'private' : 'readonly' }];
  }
  throw new CodedError(
    'bad-value',
    `--volume ${text} does not say what is mounted where`,
    'write an image, a colon and a path in the guest, and :ro when nobody may write: ./data.ext4:/data:ro',
  );
}

const serialOf = (index: number) => `volume${index}`;

/** As a template declares them, and as a fork of it is given them, in this order. */
export function declaredBy(
  asked: readonly AskedVolume[],
  octetsOf: (source: string) => number,
): readonly TemplateVolume[] {
  return asked.map(({ source, path, access }, index) => ({
    ...{ serial: serialOf(index), octets: octetsOf(source), access, path },
  }));
}

export const imagesOf = (asked: readonly AskedVolume[]) =>
  asked.map(({ source }, index) => ({ serial: serialOf(index), image: source }));

/** Of a server's images. @throws CodedError `bad-volume` */
export function octetsAmong(images: readonly VolumeImage[]): (source: string) => number {
  return (source) => {
    const image = images.find(({ name }) => name === source);
    if (image !== undefined) return image.octets;
    const names = images.slice(0, 20).map(({ name }) => name);
    throw new CodedError(
      'bad-volume',
      `the server that runs on this folder has no image ${source}`,
      names.length === 0
        ? 'put it into its --volumes folder, and name it without a path'
        : `name one of ${names.join(', ')}, or put it into its --volumes folder`,
    );
  };
}
