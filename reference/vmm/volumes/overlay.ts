/**
 * Where what a guest writes to a private volume goes: an empty image of format qcow2 (QEMU, docs/interop/qcow2.txt)
 * over the volume.
 * Invariant: the file never has a name, so that nothing is left of it when its last descriptor is closed, by whatever
 * end; no octet of it comes from a guest or a volume.
 */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const clusterBits = 16;
const clusterOctets = 1 << clusterBits;
/** An entry of the first table is a table of 8,192 clusters. */
const octetsOfTable = clusterOctets * (clusterOctets / 8);
const version = 3;
const headerOctets = 104;
/** Clusters: the header, the table of reference counts, its one block, the first table. */
const clusters = { header: 0, countTable: 1, counts: 2, firstTable: 3 } as const;
const clusterCount = 4;

/** The clusters in use, without what a volume's own clusters add. */
function emptyImage(octets: number): Buffer {
  const image = Buffer.alloc(clusterCount * clusterOctets);
  image.write('QFI\xfb', 0, 'latin1');
  image.writeUInt32BE(version, 4);
  // No name of what it lies over: whoever opens it says so.
  image.writeUInt32BE(clusterBits, 20);
  image.writeBigUInt64BE(BigInt(octets), 24);
  image.writeUInt32BE(Math.ceil(octets / octetsOfTable), 36);
  image.writeBigUInt64BE(BigInt(clusters.firstTable * clusterOctets), 40);
  image.writeBigUInt64BE(BigInt(clusters.countTable * clusterOctets), 48);
  image.writeUInt32BE(1, 56);
  // Counts of 2^4 bits.
  image.writeUInt32BE(4, 96);
  image.writeUInt32BE(headerOctets, 100);
  image.writeBigUInt64BE(BigInt(clusters.counts * clusterOctets), clusters.countTable * clusterOctets);
  for (let cluster = 0; cluster < clusterCount; cluster++) {
    image.writeUInt16BE(1, clusters.counts * clusterOctets + 2 * cluster);
  }
  return image;
}

/** What an overlay may grow to: the volume's octets, and its tables. */
export const overlayOctets = (octets: number) => octets + Math.ceil(octets / 1_024) + (1 << 20);

/**
 * @param folder on whose file system it lies
 * @returns a descriptor, the caller's
 * @throws CodedError `no-overlay`, `disk-full`
 */
export function createOverlay(folder: string, octets: number): number {
  const refused = (cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const what = `${folder} has no room for what a guest writes to a private volume`;
      return new CodedError('disk-full', what, 'free space in the folder of the engine', { cause });
    }
    return new CodedError(
      'no-overlay',
      `no file without a name can be made in ${folder} (${code}): a private volume has nowhere to go`,
      'give the VMM a folder on a file system that has O_TMPFILE (ext4, xfs, btrfs, tmpfs), and room',
      { cause },
    );
  };
  let fd: number;
  try {
    fd = openSync(folder, constants.O_RDWR | O_TMPFILE, 0o600);
  } catch (cause) {
    throw refused(cause);
  }
  try {
    const image = emptyImage(octets);
    for (let at = 0; at < image.length; ) at += writeSync(fd, image, at, image.length - at, at);
    ftruncateSync(fd, image.length);
    return fd;
  } catch (cause) {
    closeSync(fd);
    throw refused(cause);
  }
}
