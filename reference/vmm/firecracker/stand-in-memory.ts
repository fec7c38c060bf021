/**
 * Guest memory of the stand-in: what its guest remembers, and a kernel's generator behind page tables, at the places
 * where a host that looks for it finds it.
 * Invariant: a fork's is a private mapping of the file that it was loaded from, as Firecracker's is.
 */
import { createHash } from 'node:crypto';
import { fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { close } from '#reference/base/syscalls.ts';
import type { FakeMemory } from '../fake-vmm.ts';

const mebi = 1 << 20;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 2;
const libc = koffi.load('libc.so.6');
const mmap = libc.func(
  'void *mmap(void *at, size_t octets, int protection, int flags, int fd, int64_t from)',
);

/** Of the JSON, from 0 on; then zeros. */
const rememberedOctets = mebi;
/** Entries of x86-64 page tables: present, writable, and a page of 2 MiB. */
const tables = { pml4: mebi, pdpt: mebi + 0x1000, pd: mebi + 0x2000 } as const;
const entry = 3n;
const largePage = 0x83n;
/** Where ffffffff81000000 lies: `symbol` of the contract's guest. */
const generatorAt = 4 * mebi;
const generationAt = 40;

export class StandInMemory {
  readonly #octets: Buffer;
  readonly remembered: FakeMemory;

  private constructor(octets: Buffer, remembered: FakeMemory) {
    this.#octets = octets;
    this.remembered = remembered;
  }

  static booted(mebibytes: number): StandInMemory {
    const octets = Buffer.alloc(mebibytes * mebi);
    const write = (table: number, index: number, value: bigint) =>
      octets.writeBigUInt64LE(value, table + 8 * index);
    write(tables.pml4, 511, BigInt(tables.pdpt) | entry);
    write(tables.pdpt, 510, BigInt(tables.pd) | entry);
    write(tables.pd, 8, BigInt(generatorAt) | largePage);
    return new StandInMemory(octets, {});
  }

  /** @throws when its length is another one */
  static loaded(path: string, mebibytes: number): StandInMemory {
    const fd = openSync(path, 'r');
    const length = mebibytes * mebi;
    try {
      if (fstatSync(fd).size !== length) throw new Error('the memory file has another length');
      const octets = Buffer.from(koffi.view(mmap(null, length, PROT_READ_WRITE, MAP_PRIVATE, fd, 0), length));
      const text = octets.subarray(0, octets.indexOf(0)).toString();
      return new StandInMemory(octets, JSON.parse(text) as FakeMemory);
    } finally {
      close(fd);
    }
  }

  /** What its guest remembers, and its generator, into the memory itself. */
  keep(): void {
    const text = JSON.stringify(this.remembered);
    this.#octets.fill(0, 0, rememberedOctets);
    this.#octets.write(text);
    const { generator } = this.remembered;
    if (generator === undefined) return;
    createHash('sha256').update(generator.keySha256).digest().copy(this.#octets, generatorAt);
    this.#octets.writeBigUInt64LE(BigInt(generator.generation), generatorAt + generationAt);
  }

  /** What is of nothing but zeros stays a hole. */
  write(path: string): void {
    this.keep();
    const fd = openSync(path, 'w');
    try {
      ftruncateSync(fd, this.#octets.length);
      for (const at of [0, tables.pml4, generatorAt]) writeSync(fd, this.#octets, at, mebi, at);
    } finally {
      close(fd);
    }
  }
}
