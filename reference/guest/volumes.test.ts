/** Volumes on devices of paper: which are mounted where, which are refused by name, and how they are taken off. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeKernel } from './fake-kernel.ts';
import { type VolumePlaces, Volumes } from './volumes.ts';

const EINVAL = 22;
const EBUSY = 16;

let folder: string;
let kernel: FakeKernel;
let volumes: Volumes;
let places: VolumePlaces;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'guest-volumes-')));
  for (const [name, serial] of [
    ['vda', 'one'],
    ['vdb', 'two'],
    ['loop0', ''],
  ]) {
    mkdirSync(`${folder}/block/${name}`, { recursive: true });
    if (serial !== '') writeFileSync(`${folder}/block/${name}/serial`, `${serial}\n`);
    mkdirSync(`${folder}/dev`, { recursive: true });
    writeFileSync(`${folder}/dev/${name}`, '');
  }
  writeFileSync(`${folder}/filesystems`, 'nodev\tproc\n\text3\n\text4\n');
  kernel = new FakeKernel();
  places = {
    ...{ blockDevices: `${folder}/block`, devices: `${folder}/dev`, fileSystems: `${folder}/filesystems` },
  };
  volumes = new Volumes(kernel.calls, places);
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (path: string, serial = 'one') => ({ serial, path, readonly: false });
const refusalOf = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return null;
};

describe('a volume', () => {
  test('is mounted on a folder that is made for it, when nothing of the device is remembered any more', () => {
    volumes.mount(at(`${folder}/deep/data`));
    expect(kernel.done).toEqual(['ioctl 4705', `mount ${folder}/deep/data`]);
  });

  test('needs a device of its serial', () => {
    expect(refusalOf(() => volumes.mount(at(`${folder}/data`, 'none-such')))).toBe('no-volume');
    expect(kernel.done).toEqual([]);
  });

  test('is none that somebody has from before', () => {
    rmSync(`${folder}/dev/vda`);
    const later = new Volumes(kernel.calls, places);
    writeFileSync(`${folder}/dev/vda`, '');
    expect(refusalOf(() => later.mount(at(`${folder}/data`)))).toBe('no-volume');
    expect(later.detach()).toBeNull();
  });

  test('that no file system of the kernel is on, as in an empty slot, is refused', () => {
    kernel.failing.set(`mount ${folder}/data`, EINVAL);
    expect(refusalOf(() => volumes.mount(at(`${folder}/data`)))).toBe('volume-empty');
    expect(kernel.done.filter((what) => what.startsWith('mount'))).toHaveLength(2);
  });

  test.each(['/proc', '/proc/sys', '/dev/shm', '/etc', '/run', '/run/sandbox', '/run/sandbox/x', '/sys/fs'])(
    'is never mounted on %s, which is the guest’s own',
    (path) => {
      expect(refusalOf(() => volumes.mount(at(path)))).toBe('volume-outside');
      expect(kernel.done).toEqual([]);
    },
  );

  test('is never mounted through a link, nor on what is no folder', () => {
    symlinkSync('/etc', `${folder}/link`);
    writeFileSync(`${folder}/file`, '');
    for (const path of ['link', 'link/below', 'file', 'file/below']) {
      expect(
        refusalOf(() => volumes.mount(at(`${folder}/${path}`))),
        path,
      ).toBe('volume-outside');
    }
    expect(kernel.done).toEqual([]);
  });

  test('is mounted once, on a path that is no other’s', () => {
    volumes.mount(at(`${folder}/data`));
    expect(refusalOf(() => volumes.mount(at(`${folder}/data`, 'two')))).toBe('volume-taken');
    expect(refusalOf(() => volumes.mount(at(`${folder}/other`)))).toBe('volume-taken');
    volumes.mount(at(`${folder}/other`, 'two'));
  });
});

describe('before a snapshot', () => {
  beforeEach(() => {
    volumes.mount(at(`${folder}/data`));
    volumes.mount(at(`${folder}/data/in`, 'two'));
    kernel.done.length = 0;
  });

  test('all are taken off, the last one first, and can be mounted again', () => {
    expect(volumes.detach()).toBeNull();
    expect(kernel.done).toEqual([`umount ${folder}/data/in`, `umount ${folder}/data`]);
    expect(volumes.detach()).toBeNull();
    volumes.mount(at(`${folder}/data`, 'two'));
  });

  test('one that is in use is named, and those that were taken off are put back', () => {
    kernel.failing.set(`umount ${folder}/data`, EBUSY);
    expect(volumes.detach()).toBe('the volume one cannot be unmounted: EBUSY');
    expect(kernel.done.at(-1)).toBe(`mount ${folder}/data/in`);
    kernel.failing.clear();
    expect(volumes.detach()).toBeNull();
  });
});
