/**
 * Which volume comes into which slot of a machine.
 * Invariant: total and fail closed: a volume without a slot, of another length, twice, or that is no file is refused
 * by its serial.
 */
import { fstatSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Machine, VmPlace, Volume, VolumeSlot } from '#reference/contract/vmm-port.ts';

export const maxVolumes = 8;
const sectorOctets = 512;
const maxOctets = 64 * 2 ** 30;
/** Of virtio-blk: 20 octets. */
const serials = /^[A-Za-z0-9_-]{1,20}$/;

/** What is wrong with the slots of a machine, or null. */
export function slotsFault({ volumes = [] }: Machine): string | null {
  if (volumes.length > maxVolumes) return `volumes: there are more than ${maxVolumes}`;
  for (const { serial, octets, access } of volumes) {
    if (!serials.test(serial)) return 'volumes: a serial is not 1 to 20 of A-Z a-z 0-9 _ -';
    const isWhole = Number.isInteger(octets) && octets > 0 && octets % sectorOctets === 0;
    if (!isWhole || octets > maxOctets) {
      return `volumes: ${serial}: octets is no multiple of ${sectorOctets} up to ${maxOctets}`;
    }
    if (access !== 'readonly' && access !== 'private') return `volumes: ${serial}: access is not known`;
  }
  const differ = new Set(volumes.map(({ serial }) => serial)).size === volumes.length;
  return differ ? null : 'volumes: two have one serial';
}

export interface FilledSlot extends VolumeSlot {
  /** null: empty. */
  readonly fd: number | null;
}

function badVolume(what: string): CodedError {
  return new CodedError(
    'bad-volume',
    `a volume cannot be given to a VM: ${what}`,
    'give each volume as a file of the length that its slot in the template says, once',
  );
}

/** In the order of the slots. @throws CodedError `bad-volume` */
export function fillSlots({ volumes: slots = [] }: Machine, { volumes = [] }: VmPlace): FilledSlot[] {
  const given = new Map<string, Volume>();
  for (const volume of volumes) {
    if (!slots.some(({ serial }) => serial === volume.serial)) {
      throw badVolume('the machine has no slot of its serial');
    }
    if (given.has(volume.serial)) throw badVolume(`${volume.serial} is given twice`);
    given.set(volume.serial, volume);
  }
  return slots.map((slot) => {
    const volume = given.get(slot.serial);
    if (volume === undefined) return { ...slot, fd: null };
    const stat = fstatSync(volume.fd);
    if (!stat.isFile()) throw badVolume(`${slot.serial} is no regular file`);
    if (stat.size !== slot.octets) throw badVolume(`${slot.serial} is not ${slot.octets} octets long`);
    return { ...slot, fd: volume.fd };
  });
}
