/**
 * A Firecracker behind a real datapath: the tap that the datapath made and ruled is the one that the VMM opens by its
 * name, and whoever goes first, VM or datapath, nothing of either is left. The VMM is the stand-in.
 * Needs: tun
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { layGround, ruleset, run, strangers } from '#reference/datapath/kernel-ground.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { factsOf, Talk, within } from '#reference/vmm/contract-talk.ts';
import {
  bootSpec,
  machine,
  makeRunFolder,
  openStandIn,
  openTunToAll,
  removeRunFolder,
} from '#reference/vmm/firecracker/confined-ground.ts';

const patienceMs = 120_000;
const network = sampleNetwork(1);
const killed = fileURLToPath(new URL('./killed-firecracker.ts', import.meta.url));

let runFolder: string;
let vmm: VmmPort;
let snapshot: LoadedSnapshot;
let before: string;

beforeAll(async () => {
  layGround();
  before = ruleset();
  openTunToAll();
  runFolder = makeRunFolder();
  vmm = await openStandIn(runFolder);
  const template = await vmm.boot({
    ...(await bootSpec()),
    machine: { ...machine, guestMac: network.guestMac },
  });
  snapshot = await template.save(await factsOf(new Talk(template)));
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  removeRunFolder(runFolder);
});

/** As a husk does it. */
async function behind(datapath: Datapath): Promise<RunningVm> {
  const { fd } = datapath.open(network, narrowPolicy);
  try {
    return await (await vmm.prepare(snapshot, { tapFd: fd })).resume();
  } finally {
    close(fd);
  }
}

/** What its eth0 is, with the kernel's own words. */
const shown = () => run('ip', '-d', 'link', 'show', network.tap);

test.each(['the VM first', 'the datapath first'])(
  'a fork stands at the tap that its datapath has ruled; %s, nothing is left',
  async (who) => {
    const datapath = new Datapath(contractPod);
    const vm = await behind(datapath);
    const [, uid] = /^Uid:\s*(\d+)/m.exec(readFileSync(`/proc/${vm.pid}/status`, 'utf8')) ?? [];
    expect(shown()).toContain('LOWER_UP');
    expect(shown()).toContain(`persist on user ${uid === '0' ? 'root' : uid} `);
    expect(readlinkSync(`/proc/${vm.pid}/ns/net`)).toBe(readlinkSync('/proc/self/ns/net'));
    expect(ruleset()).toContain(network.tap);
    if (who === 'the VM first') {
      await vm.stop();
      expect(strangers()).toEqual([]);
      datapath.close(network.tap);
    } else {
      datapath.close(network.tap);
      expect(strangers()).toEqual([]);
      await vm.stop();
    }
    datapath.shutDown();
    expect(strangers()).toEqual([]);
    expect(ruleset()).toBe(before);
  },
  patienceMs,
);

test(
  'a policy changes while a fork runs, and a VM that ends between the cut and the reaping leaves nothing',
  async () => {
    const datapath = new Datapath(contractPod);
    const vm = await behind(datapath);
    datapath.change(network.tap, { ...narrowPolicy, egress: 'allow' });
    expect(shown()).toContain('LOWER_UP');
    datapath.cutOff(network.tap);
    await vm.stop();
    datapath.reap();
    datapath.shutDown();
    expect(strangers()).toEqual([]);
    expect(ruleset()).toBe(before);
  },
  patienceMs,
);

test(
  'a daemon that is killed takes its VMs with it; the tap and the folders that stay go when the next one starts',
  async () => {
    const folder = makeRunFolder();
    const child = spawn(process.execPath, [killed, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await within(once(child.stdout, 'data') as Promise<[Buffer]>, 'its VM', patienceMs);
    const pid = Number(line.toString());
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    const held = readdirSync(folder);
    expect(held.length).toBeGreaterThan(0);
    await (await openStandIn(folder)).close();
    expect(readdirSync(folder)).toEqual(held);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 30_000 }).toBe(false);
    // Nobody has it open, and it is there: a tap with a name does not go with its descriptors.
    expect(shown()).toContain('NO-CARRIER');
    const next = new Datapath(contractPod);
    expect(strangers()).toEqual([]);
    next.shutDown();
    expect(ruleset()).toBe(before);
    // So do the folders with the sockets of its VMs; one that the VMM did not make stays.
    mkdirSync(join(folder, 'another'));
    expect(readdirSync(folder).sort()).toEqual(['another', ...held].sort());
    await (await openStandIn(folder)).close();
    expect(readdirSync(folder)).toEqual(['another']);
    removeRunFolder(folder);
  },
  patienceMs,
);
