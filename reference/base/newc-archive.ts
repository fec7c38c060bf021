/**
 * Writes a cpio archive of format newc, as the kernel unpacks it into its first root (Documentation/driver-api/
 * early-userspace/buffer-format.rst).
 * Invariant: the octets follow from names, modes and contents alone: order, times, owners and inode numbers are fixed.
 */

export type ArchiveEntry =
  | { readonly kind: 'folder'; readonly name: string; readonly mode: number }
  | { readonly kind: 'file'; readonly name: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'link'; readonly name: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly name: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { folder: 0o040000, file: 0o100000, link: 0o120000, 'character-device': 0o020000 } as const;
const trailer = 'TRAILER!!!';
const blockOctets = 512;
/** Sizes are 32 bits in a header. */
const maxFileOctets = 0xffff_ffff;
const namePattern = /^(?!\.{1,2}(?:\/|$))[^/\0]+(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)*$/;

/** @throws RangeError for a name that is absolute, empty, leaves the root or stands twice, and for a file of 4 GiB */
export function newcArchive(entries: readonly ArchiveEntry[]): Uint8Array[] {
  const sorted = entries.toSorted((one, other) => compareNames(one.name, other.name));
  const chunks: Uint8Array[] = [];
  let octets = 0;
  const put = (chunk: Uint8Array, alignment = 4) => {
    const padding = -(octets + chunk.length) & (alignment - 1);
    chunks.push(chunk);
    if (padding > 0) chunks.push(new Uint8Array(padding));
    octets += chunk.length + padding;
  };
  sorted.forEach((entry, index) => {
    if (!namePattern.test(entry.name)) throw new RangeError(`${entry.name} is no name in an archive`);
    if (entry.name === sorted[index - 1]?.name) throw new RangeError(`${entry.name} stands twice`);
    const data = contentOf(entry);
    if (data.length > maxFileOctets) throw new RangeError(`${entry.name} is 4 GiB or more`);
    put(header(entry, index + 1, data.length));
    put(data);
  });
  const last = { kind: 'file', name: trailer, mode: 0, data: new Uint8Array() } as const;
  put(header(last, 0, 0), blockOctets);
  return chunks;
}

/** By code unit: a folder stands before what is in it, and no locale changes the order. */
function compareNames(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function contentOf(entry: ArchiveEntry): Uint8Array {
  if (entry.kind === 'file') return entry.data;
  return entry.kind === 'link' ? Buffer.from(entry.target) : new Uint8Array();
}

function header(entry: ArchiveEntry, inode: number, octets: number): Uint8Array {
  const mode = entry.kind === 'link' ? 0o777 : entry.mode;
  const isTrailer = entry.name === trailer;
  const device = entry.kind === 'character-device' ? [entry.major, entry.minor] : [0, 0];
  const name = Buffer.from(`${entry.name}\0`);
  const fields = [
    inode,
    isTrailer ? 0 : typeBits[entry.kind] | mode,
    0, // uid
    0, // gid
    entry.kind === 'folder' ? 2 : 1,
    0, // mtime
    octets,
    0, // major of the device that it is on
    0,
    ...device,
    name.length,
    0, // checksum: of format crc only
  ];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([Buffer.from(`070701${text}`), name]);
}
