/**
 * Volumes in forks of one template: what a fork writes is its own, what is shared is written by none; what may not be
 * mounted refuses the fork; no snapshot is made over a volume in use; a killed host leaves nothing.
 * Needs: mke2fs (e2fsprogs), root (a file system of its own to count what is left).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { refusalOf, within } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { VolumeGround, volumeTemplate } from './volume-ground.ts';
import { ext4Image } from './volume-images.ts';

const patienceMs = 300_000;
let folder: string;
let vmm: VmmPort;
let ground: VolumeGround;
let snapshot: LoadedSnapshot;
let images: Readonly<Record<'shared' | 'own' | 'other', number>>;

const overlays = () => `${folder}/overlays`;
const shared = { serial: 'shared', path: '/mnt/shared', readonly: true };
const own = { serial: 'own', path: '/data/own', readonly: false };
const attached = () => [
  { serial: 'shared', fd: images.shared },
  { serial: 'own', fd: images.own },
];

beforeAll(async () => {
  folder = makeLabFolder('volumes');
  mkdirSync(overlays());
  execFileSync('mount', ['-t', 'tmpfs', 'overlays', overlays()]);
  images = {
    shared: ext4Image(folder, 'shared', { hello: 'for all' }),
    own: ext4Image(folder, 'own', { who: 'nobody' }),
    other: ext4Image(folder, 'other', { who: 'another' }),
  };
  const { accelerator } = await probeAccelerator();
  vmm = await openQemu(accelerator, undefined, { overlayFolder: overlays() });
  snapshot = await volumeTemplate(vmm);
  ground = await VolumeGround.open(vmm, `${folder}/witnesses`);
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  await ground?.close();
  for (const fd of Object.values(images ?? {})) close(fd);
  execFileSync('umount', [overlays()]);
  removeLabFolder(folder);
}, patienceMs);

test('two forks that write to their private volumes see their own alone; the shared one is read by both', {
  timeout: patienceMs,
}, async () => {
  const forks = [
    await ground.fork(snapshot, attached(), [shared, own]),
    await ground.fork(snapshot, attached(), [shared, own]),
  ];
  for (const [index, fork] of forks.entries()) {
    expect(await fork.sh('cat /data/own/who')).toBe('nobody');
    expect(await fork.sh(`echo fork ${index} > /data/own/who; sync; echo 3 > /proc/sys/vm/drop_caches`)).toBe(
      '',
    );
    expect(await fork.sh('echo mine > /mnt/shared/hello')).toMatch(/Read-only file system/);
    // Nor below the file system.
    expect(await fork.sh('head -c 512 /dev/zero > /dev/vda')).toMatch(/Operation not permitted|Read-only/);
  }
  for (const [index, fork] of forks.entries()) {
    expect(await fork.sh('cat /data/own/who /mnt/shared/hello')).toBe(`fork ${index}\nfor all`);
    expect(await fork.sh('grep /data/own /proc/mounts')).toMatch(
      /^\/dev\/vdb \/data\/own ext4 rw,nosuid,nodev/,
    );
    expect(await fork.sh('grep /mnt/shared /proc/mounts')).toMatch(/ ext4 ro,nosuid,nodev/);
  }
  await Promise.all(forks.map((fork) => ground.end(fork)));
  const later = await ground.fork(snapshot, attached(), [own]);
  expect(await later.sh('cat /data/own/who')).toBe('nobody');
  await ground.end(later);
});

test('a fork is refused, by name, for a volume that is unknown, not attached, or to be mounted outside', {
  timeout: patienceMs,
}, async () => {
  const refused = [
    [attached(), { ...own, serial: 'unknown' }, 'volumes: no-volume'],
    [[], own, 'volumes: volume-empty'],
    [attached(), { ...own, path: '/etc/init.d' }, 'volumes: volume-outside'],
    [attached(), { ...own, path: '/bin/sh' }, 'volumes: volume-outside'],
    [attached(), { ...shared, readonly: false }, 'volumes: EACCES'],
  ] as const;
  for (const [volumes, volume, why] of refused) {
    const { code, message } = await refusalOf(ground.fork(snapshot, volumes, [volume]));
    expect(code).toBe('fork-refused');
    expect(message).toContain(`a fork could not be repaired: ${why}`);
  }
  const fork = ground.fork(snapshot, attached(), [{ ...own, path: '/data/../etc' }]);
  expect((await refusalOf(fork)).code).toBe('fork-refused');
});

test('a fork is saved without its volumes, never while one is in use; its forks find what they are given', {
  timeout: patienceMs,
}, async () => {
  const source = await ground.fork(snapshot, attached(), [shared, own]);
  expect(await source.sh('echo source > /data/own/who; mkdir /again; mount /dev/vdb /again')).toBe('');
  expect(await source.prepareSnapshot()).toMatchObject({
    ok: false,
    error: 'the volume own is in use beside its mount',
  });
  // It goes on, with its volumes where they were.
  expect(await source.sh('cat /data/own/who /mnt/shared/hello; umount /again')).toBe('source\nfor all');
  expect(await source.prepareSnapshot()).toEqual({ ok: true });
  const saved = await source.vm.save(snapshot.manifest.guest);
  const child = await ground.fork(saved, [{ serial: 'own', fd: images.other }], [own], source.generation);
  expect(await child.sh('cat /data/own/who; echo; grep -c /dev/vd /proc/mounts')).toBe('another\n1');
  await ground.end(child);
  saved.close();
});

test('what a guest wrote has no name, and is gone when its VMM and its host are killed', {
  timeout: patienceMs,
}, async () => {
  const free = () => {
    const { bfree, bsize } = statfsSync(overlays());
    return bfree * bsize;
  };
  const before = free();
  const script = fileURLToPath(new URL('./volume-holder.ts', import.meta.url));
  const child = spawn(process.execPath, [script, overlays()], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await within(lines.next(), 'a guest that has written', patienceMs)).value).toBe('written');
  expect(before - free()).toBeGreaterThan(4 << 20);
  expect(readdirSync(overlays())).toEqual([]);
  child.kill('SIGKILL');
  await expect.poll(() => before - free(), { timeout: 30_000 }).toBe(0);
  expect(readdirSync(overlays())).toEqual([]);
});
