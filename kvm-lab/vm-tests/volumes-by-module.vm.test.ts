/**
 * Volumes on the kernel whose ext4 is a module that asks for others (docs/guests.md): mounted, written by a fork alone,
 * and refused where nothing is on them that the kernel knows.
 * Needs: mke2fs (e2fsprogs).
 */
import { ftruncateSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { createMemfd } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { refusalOf } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { VolumeGround, volumeTemplate } from './volume-ground.ts';
import { ext4Image, imageOctets } from './volume-images.ts';

const kernel = '6.1';
const patienceMs = 300_000;
const own = { serial: 'own', path: '/data/own', readonly: false };
let folder = '';
let vmm: VmmPort | undefined;
let ground: VolumeGround | undefined;
let snapshot: LoadedSnapshot | undefined;
const images: number[] = [];

beforeAll(async () => {
  folder = makeLabFolder('volumes');
  mkdirSync(`${folder}/overlays`);
  const { accelerator } = await probeAccelerator();
  vmm = await openQemu(accelerator, undefined, { overlayFolder: `${folder}/overlays` });
  snapshot = await volumeTemplate(vmm, kernel);
  ground = await VolumeGround.open(vmm, `${folder}/witnesses`);
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  await ground?.close();
  for (const fd of images) close(fd);
  if (folder !== '') removeLabFolder(folder);
}, patienceMs);

test('a fork mounts ext4, writes for itself, and is refused a volume that holds none', {
  timeout: patienceMs,
}, async () => {
  if (ground === undefined || snapshot === undefined) throw new Error('no template');
  expect(snapshot.manifest.guest.kernelRelease).toMatch(/^6\.1\.\d+-\d+-amd64$/);
  const filled = ext4Image(folder, 'own', { who: 'nobody' });
  const empty = createMemfd('volume');
  ftruncateSync(empty, imageOctets);
  images.push(filled, empty);
  const first = await ground.fork(snapshot, [{ serial: 'own', fd: filled }], [own]);
  expect(await first.sh('echo first > /data/own/who; grep /data/own /proc/mounts')).toMatch(
    /^\/dev\/vdb \/data\/own ext4 rw,nosuid,nodev/,
  );
  await ground.end(first);
  const second = await ground.fork(snapshot, [{ serial: 'own', fd: filled }], [own]);
  expect(await second.sh('cat /data/own/who')).toBe('nobody');
  await ground.end(second);
  const refused = await refusalOf(ground.fork(snapshot, [{ serial: 'own', fd: empty }], [own]));
  expect(refused.code).toBe('fork-refused');
  expect(refused.message).toContain('volumes: volume-empty');
});
