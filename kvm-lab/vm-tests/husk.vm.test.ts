/** A husk on QEMU and this kernel: the contract, and what the next start finds after `kill -9`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { huskContract } from '#properties/engine/husk-contract.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { markedEnvironment } from '../leftovers/owner.ts';
import { enterNamespace } from '../providers/netns/kernel-calls.ts';
import { Namespace } from '../providers/netns/namespace.ts';
import { policy, uplink } from '../providers/topology.ts';
import { leftInNamespace, QemuHuskGround } from './husk-ground.ts';

const goneMs = 10_000;

// The whole process lives in it: what it opens from here on is opened there.
const namespace = Namespace.create();
enterNamespace(namespace.fd);
namespace.run('ip', ['link', 'add', uplink.name, 'type', 'veth', 'peer', 'name', 'world0']);
namespace.run('ip', ['addr', 'add', `${uplink.ipv4}/24`, 'dev', uplink.name]);
namespace.run('ip', ['link', 'set', 'dev', uplink.name, 'up']);

// A process that is killed removes nothing, so what the husks keep is this process's.
let folder = '';
beforeAll(() => {
  folder = makeLabFolder('witnesses');
});
afterAll(() => {
  if (folder !== '') removeLabFolder(folder);
});

huskContract(() => QemuHuskGround.open(folder));

test('a husk that is killed leaves no VM, and the next start takes away the rest', async () => {
  const script = fileURLToPath(new URL('./husk-holder.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: markedEnvironment(),
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { machines } = JSON.parse(line.toString()) as { machines: number[] };
  expect(machines).toHaveLength(1);
  expect(leftInNamespace()).not.toEqual([]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect
    .poll(() => machines.some((pid) => existsSync(`/proc/${pid}`)), { timeout: goneMs })
    .toBe(false);

  const ground = await QemuHuskGround.open(folder);
  try {
    expect(await ground.left()).toEqual([]);
    const husk = ground.husk();
    await husk.prepare(ground.snapshot);
    expect((await husk.activate({ policy, secrets: [] })).generation).toBeGreaterThan(0);
    await husk.end();
    expect(await ground.left()).toEqual([]);
  } finally {
    await ground.close();
  }
  expect(namespace.run('nft', ['list', 'ruleset']).trim()).toBe('');
});
