/** Images for volumes: which there are, and those that a fork asks for, opened for as long as it is forked. */
import { closeSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Volume } from '#reference/contract/vmm-port.ts';
import type { SandboxBody } from './requests.ts';
import { described, type RouteParts, type Routes } from './routes.ts';
import type { VolumeFolder } from './volume-folder.ts';

export const volumeRoutes: Routes = (server, { volumes }) => {
  server.get(
    '/v1/volumes',
    { schema: described('The images that a sandbox can be given as volumes', 'volumes') },
    async () => ({ images: folderOf(volumes).list() }),
  );
};

/** @throws CodedError `bad-volume` */
export async function withVolumes<T>(
  { volumes: folder }: Pick<RouteParts, 'volumes'>,
  asked: NonNullable<SandboxBody['volumes']>,
  act: (volumes: readonly Volume[]) => Promise<T>,
): Promise<T> {
  const opened: Volume[] = [];
  try {
    for (const { serial, image } of asked) opened.push({ serial, fd: folderOf(folder).open(image).fd });
    return await act(opened);
  } finally {
    for (const { fd } of opened) closeSync(fd);
  }
}

function folderOf(folder: VolumeFolder | null): VolumeFolder {
  if (folder !== null) return folder;
  throw new CodedError('bad-volume', 'this server has no folder of images', 'start it with --volumes PATH');
}
