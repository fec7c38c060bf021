/** Native code that npm packages of this repository bring: Node itself, and koffi. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** Node 24 as the npm package `node` has it. */
export function nodePath(): string {
  return join(dirname(require.resolve('node/package.json')), 'bin/node');
}

export function koffiPath(): string {
  const koffi = createRequire(require.resolve('koffi'));
  return join(dirname(koffi.resolve('@koromix/koffi-linux-x64')), 'linux_x64/koffi.node');
}

/** Where the segments of an ELF file end that are loaded; after them come symbols and debug information. */
function endOfSegments(elf: Buffer): number {
  const start = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const ends = Array.from({ length: elf.readUInt16LE(56) }, (_, index) => {
    const at = start + index * size;
    return Number(elf.readBigUInt64LE(at + 8) + elf.readBigUInt64LE(at + 32));
  });
  return Math.max(...ends);
}

/** The program without what only debuggers and linkers read: a seventh of Node. ELF-64, little-endian. */
export function loadedPart(program: Uint8Array): Uint8Array {
  const elf = Buffer.from(program.slice(0, endOfSegments(Buffer.from(program.buffer, program.byteOffset))));
  // No section header table: e_shoff, e_shnum, e_shstrndx.
  elf.writeBigUInt64LE(0n, 40);
  elf.writeUInt16LE(0, 60);
  elf.writeUInt16LE(0, 62);
  return elf;
}
