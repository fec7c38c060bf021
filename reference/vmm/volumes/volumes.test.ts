/** Slots that no machine has, and overlays: where they may lie, and what an empty one is. */
import { closeSync, fstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import type { Machine, VolumeSlot } from '#reference/contract/vmm-port.ts';
import { limitsOf, machineArguments } from '../qemu/arguments.ts';
import { createOverlay, overlayOctets } from './overlay.ts';
import { fillSlots } from './volume-slots.ts';

const machine: Machine = { memoryMiB: 64, cpus: 1, cpuModel: 'max', guestMac: null, generationId: 'none' };
const slot: VolumeSlot = { serial: 'own', octets: 1 << 20, access: 'private' };

test.for<[string, readonly VolumeSlot[]]>([
  ['a serial that would be another option', [{ ...slot, serial: 'own,x=y' }]],
  ['no serial', [{ ...slot, serial: '' }]],
  ['a serial that virtio-blk would cut', [{ ...slot, serial: 'x'.repeat(21) }]],
  ['part of a sector', [{ ...slot, octets: 513 }]],
  ['nothing', [{ ...slot, octets: 0 }]],
  ['more than the bound', [{ ...slot, octets: 65 * 2 ** 30 }]],
  ['an access of another kind', [{ ...slot, access: 'writable' as 'private' }]],
  ['a serial twice', [slot, slot]],
  ['too many', Array.from({ length: 9 }, (_, index) => ({ ...slot, serial: `own${index}` }))],
])('a machine with a slot of %s is refused', ([, volumes]) => {
  const refused = () => machineArguments({ ...machine, volumes }, 'tcg');
  expect(refused).toThrow(expect.objectContaining({ code: 'bad-machine' }));
  expect(refused).toThrow(/^volumes: /);
});

test('a slot is a device of the machine, whatever comes into it', () => {
  const said = machineArguments({ ...machine, volumes: [slot] }, 'tcg').join(' ');
  expect(said).toContain('-device virtio-blk-pci,drive=volume0,serial=own,addr=0x6');
  expect(limitsOf({ ...machine, volumes: [{ ...slot, octets: 1 << 30 }] }).fileOctets).toBe(
    overlayOctets(1 << 30),
  );
});

test('a volume without a slot is refused', () => {
  const volumes = [{ serial: 'own', fd: 0 }];
  expect(() => fillSlots(machine, { tapFd: null, volumes })).toThrow(
    expect.objectContaining({ code: 'bad-volume' }),
  );
});

test('an overlay has no name, belongs to its owner alone, and is an image as long as its volume', () => {
  const folder = mkdtempSync(`${tmpdir()}/overlay-`);
  const fd = createOverlay(folder, 1 << 30);
  try {
    expect(readdirSync(folder)).toEqual([]);
    expect(fstatSync(fd)).toMatchObject({ nlink: 0 });
    expect(fstatSync(fd).mode & 0o777).toBe(0o600);
    const image = readFileSync(fd);
    expect(image.subarray(0, 8).toString('hex')).toBe('514649fb00000003');
    expect(image.readBigUInt64BE(24)).toBe(1n << 30n);
    expect(image.readUInt32BE(36)).toBe(2);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});

test('where no file can be without a name, a private volume is refused', () => {
  expect(() => createOverlay('/proc', 512)).toThrow(expect.objectContaining({ code: 'no-overlay' }));
});
