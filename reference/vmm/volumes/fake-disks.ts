/** The block devices of the fake's guests: the first line of each volume, and what a guest wrote over it. */
import { readSync } from 'node:fs';
import type { FilledSlot } from './volume-slots.ts';

const sectorOctets = 512;

export interface FakeDisk {
  /** `nothing` when there is none. */
  read(): string;
  /** false: it may not be written. */
  write(text: string): boolean;
}

/** Their volumes are read now. */
export function fakeDisks(slots: readonly FilledSlot[]): ReadonlyMap<string, FakeDisk> {
  return new Map(slots.map((slot) => [slot.serial, fakeDisk(slot)]));
}

function fakeDisk({ fd, access }: FilledSlot): FakeDisk {
  const sector = Buffer.alloc(sectorOctets);
  if (fd !== null) readSync(fd, sector, 0, sectorOctets, 0);
  let line = /^[^\n\0]*/.exec(sector.toString())?.[0] ?? '';
  return {
    read: () => (line === '' ? 'nothing' : line),
    write: (text) => {
      if (access === 'readonly') return false;
      line = text;
      return true;
    },
  };
}
