/**
 * Volumes as devices of QEMU (virtio-blk) and what lies behind them.
 * Invariant: no path is opened; a volume itself is opened for reading only, and never probed for a format; a guest
 * writes to a file of its own that has no name.
 */
import { closeSync, openSync } from 'node:fs';
import type { Machine, VmPlace } from '#reference/contract/vmm-port.ts';
import { createOverlay } from '../volumes/overlay.ts';
import { type FilledSlot, fillSlots } from '../volumes/volume-slots.ts';

/** Slots of the PCI bus: behind that of eth0. */
const firstAddress = 6;
const sectorOctets = 512;
const nodeOf = (index: number) => `volume${index}`;

/** Part of the machine. */
export function volumeDevices({ volumes = [] }: Machine): string[] {
  return volumes.flatMap(({ serial }, index) => [
    '-device',
    [
      `virtio-blk-pci,drive=${nodeOf(index)},serial=${serial},addr=0x${(firstAddress + index).toString(16)}`,
      `logical_block_size=${sectorOctets},physical_block_size=${sectorOctets}`,
      // Else a guest whose host's disk is full stands still, and nobody is told.
      'werror=report,rerror=report',
    ].join(','),
  ]);
}

/** Of one VM: descriptors that are the caller's to close, and the words that name them. */
export interface VolumeBackends {
  readonly fds: readonly number[];
  readonly parameters: readonly string[];
  close(): void;
}

class Backends implements VolumeBackends {
  readonly fds: number[] = [];
  readonly parameters: string[] = [];
  readonly #firstInChild: number;
  readonly #folder: string;

  constructor(firstInChild: number, folder: string) {
    this.#firstInChild = firstInChild;
    this.#folder = folder;
  }

  add({ fd, octets, access }: FilledSlot, index: number): void {
    const name = nodeOf(index);
    const isReadOnly = access === 'readonly';
    if (fd === null) {
      this.#node({
        driver: 'null-co',
        'node-name': name,
        size: octets,
        'read-zeroes': true,
        'read-only': isReadOnly,
      });
      return;
    }
    const base = {
      driver: 'raw',
      'node-name': isReadOnly ? name : `${name}-base`,
      'read-only': true,
      file: this.#file(openSync(`/proc/self/fd/${fd}`, 'r'), true),
    };
    this.#node(base);
    if (isReadOnly) return;
    this.#node({
      driver: 'qcow2',
      'node-name': name,
      file: this.#file(createOverlay(this.#folder, octets), false),
      backing: base['node-name'],
      // What it holds is of no use once the VM has ended.
      cache: { 'no-flush': true },
    });
  }

  /** By a set of descriptors: QEMU opens it nowhere. */
  #file(fd: number, isReadOnly: boolean): object {
    const inChild = this.#firstInChild + this.fds.length;
    this.fds.push(fd);
    this.parameters.push('-add-fd', `fd=${inChild},set=${inChild}`);
    return { driver: 'file', filename: `/dev/fdset/${inChild}`, 'read-only': isReadOnly };
  }

  #node(node: object): void {
    this.parameters.push('-blockdev', JSON.stringify(node));
  }

  close(): void {
    for (const fd of this.fds) closeSync(fd);
  }
}

/**
 * @param firstInChild the process's next free descriptor
 * @param folder where what a guest writes lies
 * @throws CodedError `bad-volume`, `no-overlay`
 */
export function openBackends(
  machine: Machine,
  place: VmPlace,
  firstInChild: number,
  folder: string,
): VolumeBackends {
  const slots = fillSlots(machine, place);
  const backends = new Backends(firstInChild, folder);
  try {
    for (const [index, slot] of slots.entries()) backends.add(slot, index);
    return backends;
  } catch (error) {
    backends.close();
    throw error;
  }
}
