/**
 * Looks at a guest's memory without asking its VMM, which has no request for that: in the file that was saved, and in
 * the private mapping of that file that a fork's VMM has, by /proc/PID/mem (proc(5)) as the VMM's parent.
 * Invariant: read only; what is not mapped exactly once is not read. x86-64, where memory is in one piece from 0 on.
 */
import { closeSync, fstatSync, openSync, read, readFileSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { firecrackerFault } from './api-client.ts';

const pageOctets = 4_096;
const entryOctets = 8;
const pieceOctets = 1 << 20;
const indexMask = 511n;
const addressMask = 0x000f_ffff_ffff_f000n;
/** Present and writable, as all on the way to what the kernel writes. */
const wanted = 3n;
const isLarge = 0x80n;
/** Of each level of page tables, from the top: the lowest bit of its index. */
const levels = [39n, 30n, 21n, 12n] as const;

export interface MemoryFile {
  readonly fd: number;
  readonly octets: number;
}

const readPiece = promisify(read);

/**
 * Where a kernel's address lies in guest-physical memory, found by its page tables, of which there is one for each
 * process: what most of them say. null: none maps it.
 * @param virtual canonical
 */
export async function physicalOf(memory: MemoryFile, virtual: bigint): Promise<number | null> {
  const found = new Map<number, number>();
  const piece = Buffer.alloc(pieceOctets);
  const at = entryAt(virtual, levels[0]);
  for (let from = 0; from < memory.octets; from += pieceOctets) {
    const { bytesRead } = await readPiece(memory.fd, piece, 0, pieceOctets, from);
    for (let page = 0; page + pageOctets <= bytesRead; page += pageOctets) {
      const address = walk(memory, virtual, piece.readBigUInt64LE(page + at));
      if (address !== null) found.set(address, (found.get(address) ?? 0) + 1);
    }
  }
  const [most] = [...found].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? null;
}

const entryAt = (virtual: bigint, shift: bigint) => Number((virtual >> shift) & indexMask) * entryOctets;

/** @param top the entry of the uppermost table */
function walk(memory: MemoryFile, virtual: bigint, top: bigint): number | null {
  let entry = top;
  for (const [level, shift] of levels.entries()) {
    if ((entry & wanted) !== wanted) return null;
    const isPage = level === levels.length - 1 || (level > 0 && (entry & isLarge) !== 0n);
    const inside = (1n << shift) - 1n;
    const base = entry & addressMask & (isPage ? ~inside : ~0n);
    if (base >= BigInt(memory.octets)) return null;
    if (isPage) {
      const address = Number(base | (virtual & inside));
      return address < memory.octets ? address : null;
    }
    const next = readOctets(memory.fd, Number(base) + entryAt(virtual, levels[level + 1] ?? 0n), entryOctets);
    if (next === null) return null;
    entry = next.readBigUInt64LE(0);
  }
  return null;
}

function readOctets(fd: number, position: number, octets: number): Buffer | null {
  const buffer = Buffer.alloc(octets);
  return readSync(fd, buffer, 0, octets, position) === octets ? buffer : null;
}

/** @throws CodedError `vmm-failed` */
export function readSaved({ fd }: MemoryFile, address: number, octets: number): Buffer {
  const read = readOctets(fd, address, octets);
  if (read === null) throw firecrackerFault('the saved memory ends before the generator');
  return read;
}

/**
 * Of a process that has the file mapped privately: what it and its guest made of it.
 * @throws CodedError `vmm-failed` when it may not be read, or has not mapped it once
 */
export function readMapped(pid: number, file: number, address: number, octets: number): Buffer {
  try {
    const at = addressIn(readFileSync(`/proc/${pid}/maps`, 'latin1'), file, address, octets);
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
      const read = readOctets(fd, at, octets);
      if (read === null) throw new Error('it is not mapped whole');
      return read;
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw firecrackerFault(`the memory of process ${pid} cannot be read: ${why}`, cause);
  }
}

const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+)/;

function addressIn(maps: string, file: number, address: number, octets: number): number {
  const { dev, ino } = fstatSync(file, { bigint: true });
  const found: number[] = [];
  for (const line of maps.split('\n')) {
    const [, from = '', to = '', rights = '', offset = '', major = '', minor = '', inode = ''] =
      mapping.exec(line) ?? [];
    if (inode !== String(ino) || !rights.endsWith('p') || deviceOf(major, minor) !== dev) continue;
    const start = Number.parseInt(from, 16);
    const within = address - Number.parseInt(offset, 16);
    if (within >= 0 && start + within + octets <= Number.parseInt(to, 16)) found.push(start + within);
  }
  const [at] = found;
  if (at === undefined || found.length > 1) throw new Error(`it is mapped ${found.length} times`);
  return at;
}

/** makedev(3). */
function deviceOf(major: string, minor: string): bigint {
  const [high, low] = [BigInt(`0x${major}`), BigInt(`0x${minor}`)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}
