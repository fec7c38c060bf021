/** What a program of a guest may start, take and leave behind, on the kernel that guests have. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { type VolumeFork, VolumeGround, volumeTemplate } from './volume-ground.ts';

const patienceMs = 300_000;
let folder: string;
let vmm: VmmPort;
let ground: VolumeGround;
let snapshot: LoadedSnapshot;
let fork: VolumeFork;

beforeAll(async () => {
  folder = makeLabFolder('programs');
  vmm = await openQemu((await probeAccelerator()).accelerator);
  snapshot = await volumeTemplate(vmm);
  ground = await VolumeGround.open(vmm, `${folder}/witnesses`);
  fork = await ground.fork(snapshot, [], []);
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  await ground?.close();
  removeLabFolder(folder);
}, patienceMs);

/** Forked twice, in a session of its own. */
const left = '(setsid sh -c "sleep 611 & exec sleep 611" > /dev/null 2>&1 &)';
const there = 'until [ $(ps | grep -c "[s]leep 611") -ge 2 ]; do usleep 20000; done; echo there';

test('what it left lives on when it ends by itself, and ends with it when its time is over', {
  timeout: patienceMs,
}, async () => {
  expect((await fork.run(`${left}; ${there}`)).end).toMatchObject({ exit_code: 0 });
  expect(await fork.sh('ps | grep -c "[s]leep 611"')).toBe('2');
  expect(await fork.sh('killall sleep; true')).toBe('');
  const { said, end } = await fork.run(`${left}; ${there}; sleep 600`, { timeout_ms: 10_000 });
  expect(said).toBe('there');
  expect(end).toMatchObject({ timed_out: true, signal: 'SIGKILL' });
  expect(await fork.sh('ps | grep -c "[s]leep 611"; true')).toBe('0');
});

test('its processes and its memory are bounded, and the agent answers through it all', {
  timeout: patienceMs,
}, async () => {
  const bomb = 'b() { b | b & }; b; wait; sleep 2';
  await fork.run(bomb, { max_processes: 40, timeout_ms: 10_000 });
  expect(await fork.sh('echo still')).toBe('still');
  const peak = 'for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait';
  expect((await fork.run(peak, { max_processes: 4 })).said).toMatch(/fork/i);
  const hungry = 'head -c 64m /dev/zero | tail -c 64m | wc -c';
  expect((await fork.run(hungry)).said).toBe(String(64 << 20));
  const { end } = await fork.run(hungry, { max_memory_octets: 16 << 20 });
  expect(end).toMatchObject({ signal: 'SIGKILL' });
  // By default all of it together leaves the agent room.
  const greedy = 'tail -n 1 /dev/zero';
  expect((await fork.run(greedy, { timeout_ms: 60_000 })).end).toMatchObject({ signal: 'SIGKILL' });
  expect(await fork.sh('echo still')).toBe('still');
});
