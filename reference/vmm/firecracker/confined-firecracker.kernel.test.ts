/**
 * Firecracker's adapter with its process confined, and at a tap that it opens by its name: whose the tap is, where the
 * process stands, what one that a guest has taken over can do, and what is left. The process is the stand-in, which
 * opens the tap with the calls that Firecracker makes.
 * Needs: tun
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { close, fcntl, socketPair } from '#reference/base/syscalls.ts';
import type { BootSpec, LoadedSnapshot, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { privileges } from '../confinement/privileges.ts';
import { factsOf, refusalOf, Talk } from '../contract-talk.ts';
import { openLaunchers } from './confined-firecracker.ts';
import {
  bootSpec,
  HandedTap,
  machine,
  makeRunFolder,
  noDevice,
  openStandIn,
  openTunToAll,
  perl,
  removeRunFolder,
  scriptPaths,
} from './confined-ground.ts';
import { makeStay, replaceByNothing } from './tap-device.ts';

const patienceMs = 120_000;
const F_DUPFD_CLOEXEC = 1030;
const limits = { dataOctets: 1 << 28, fileOctets: 1 << 20, files: 64 };

let hasOwnUid: boolean;
let runFolder: string;
let vmm: VmmPort;
let spec: BootSpec;
let snapshot: LoadedSnapshot;

beforeAll(async () => {
  const uid = privileges().takeUid();
  privileges().giveBackUid(uid);
  hasOwnUid = openTunToAll() && uid !== null;
  runFolder = makeRunFolder();
  vmm = await openStandIn(runFolder);
  spec = await bootSpec();
  const template = await vmm.boot(spec);
  const talk = new Talk(template);
  await talk.ask('remember template');
  snapshot = await template.save(await factsOf(talk));
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  removeRunFolder(runFolder);
});

const descriptors = () => readdirSync('/proc/self/fd').length;
const uidOf = ({ pid }: RunningVm) =>
  Number(/^Uid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

async function forkAt(tap: HandedTap): Promise<RunningVm> {
  return (await vmm.prepare(snapshot, { tapFd: tap.fd })).resume();
}

test(
  'a fork opens the tap of its place by its name, in the network namespace of it, and nobody else can',
  async () => {
    const before = descriptors();
    const tap = new HandedTap('place-7');
    tap.run('ip', 'link', 'set', 'place-7', 'up');
    const vm = await forkAt(tap);
    expect(readlinkSync(`/proc/${vm.pid}/ns/net`)).toBe(tap.network);
    expect(tap.network).not.toBe(readlinkSync('/proc/self/ns/net'));
    const shown = tap.run('ip', '-d', 'link', 'show', 'place-7');
    expect(shown).toContain('LOWER_UP');
    const owner = uidOf(vm);
    expect(shown).toMatch(
      new RegExp(`tun type tap .*vnet_hdr on persist on user ${owner === 0 ? 'root' : owner} `),
    );
    if (hasOwnUid) expect(owner).toBeGreaterThan(60_000);
    // The one who handed it over has a descriptor still, and of nothing.
    expect(readlinkSync(`/proc/self/fd/${tap.fd}`)).toBe('/dev/null');
    expect(await new Talk(vm).ask('recall')).toBe('template');
    await vm.stop();
    expect(tap.links()).toEqual(['lo']);
    tap.close();
    await expect.poll(descriptors).toBe(before);
    expect(readdirSync(runFolder)).toEqual([]);
  },
  patienceMs,
);

test(
  'two forks that each have a namespace of their own never stand in one, whatever the names of their taps',
  async () => {
    const taps = [new HandedTap('tap0'), new HandedTap('tap0')];
    const vms = await Promise.all(taps.map(forkAt));
    const places = vms.map(({ pid }) => readlinkSync(`/proc/${pid}/ns/net`));
    expect(places).toEqual(taps.map(({ network }) => network));
    expect(new Set(places).size).toBe(2);
    if (hasOwnUid) expect(new Set(vms.map(uidOf)).size).toBe(2);
    await vms[0]?.stop();
    expect(taps.map((tap) => tap.links())).toEqual([['lo'], ['lo', 'tap0']]);
    await vms[1]?.stop();
    for (const tap of taps) tap.close();
  },
  patienceMs,
);

test(
  'a VM that is killed, and one that is never resumed, leave no tap once they are stopped',
  async () => {
    const killed = new HandedTap('tap0');
    const vm = await forkAt(killed);
    process.kill(vm.pid, 'SIGKILL');
    await vm.ended;
    await vm.stop();
    expect(killed.links()).toEqual(['lo']);
    const unused = new HandedTap('tap0');
    await (await vmm.prepare(snapshot, { tapFd: unused.fd })).stop();
    expect(unused.links()).toEqual(['lo']);
    // The datapath may be the first to take it away.
    const taken = new HandedTap('tap0');
    const last = await forkAt(taken);
    taken.run('ip', 'link', 'delete', 'tap0');
    await last.stop();
    expect(taken.links()).toEqual(['lo']);
    for (const tap of [killed, unused, taken]) tap.close();
  },
  patienceMs,
);

test(
  'a tap that somebody holds open still is refused by the VMM, and nothing of the VM is left',
  async () => {
    const before = descriptors();
    const tap = new HandedTap('tap0');
    const held = fcntl(tap.fd, F_DUPFD_CLOEXEC, 0);
    const refusal = await refusalOf(vmm.prepare(snapshot, { tapFd: tap.fd }));
    expect(refusal.code).toBe('vmm-failed');
    expect(refusal.message).toMatch(/^(PUT \/snapshot\/load: 400: .*EBUSY.*tap0|the tap tap0 does not go)/);
    expect(readdirSync(runFolder)).toEqual([]);
    close(held);
    tap.close();
    await expect.poll(descriptors).toBe(before);
  },
  patienceMs,
);

test(
  'what is no tap, and a tap for a machine without an eth0, are refused before anything is started',
  async () => {
    const before = descriptors();
    const [one, other] = socketPair();
    expect((await refusalOf(vmm.prepare(snapshot, { tapFd: one }))).message).toMatch(
      /^there is no tap to be opened/,
    );
    expect(
      (await refusalOf(vmm.boot({ ...spec, place: { tapFd: one }, machine: { ...machine, guestMac: null } })))
        .code,
    ).toBe('bad-machine');
    close(one);
    close(other);
    expect(descriptors()).toBe(before);
    expect(readdirSync(runFolder)).toEqual([]);
  },
  patienceMs,
);

function attempts(said: string): Map<string, string> {
  return new Map(
    said
      .trim()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]),
  );
}

test(
  'one that a guest has taken over reaches its own tap and its own folder, and nothing of another VM or of the namespace',
  async () => {
    const program = readFileSync(new URL('./compromised-firecracker.pl', import.meta.url), 'utf8');
    const tap = new HandedTap('own');
    const sibling = await forkAt(new HandedTap('tap0'));
    const siblingFolder = readlinkSync(`/proc/${sibling.pid}/cwd`);
    const other = tap.create('other');
    makeStay(other, uidOf(sibling));
    replaceByNothing(other);
    const { launcher, launcherIn } = await openLaunchers(scriptPaths(runFolder), noDevice);
    const confined = await launcherIn(tap.networkFd);
    const [ours, theirs] = socketPair();
    const said = text(new Socket({ fd: ours }));
    const words = [perl, '-e', program, 'own', 'other', siblingFolder, String(process.pid)];
    const folder = mkdtempSync(join(runFolder, 'own-'));
    const { ended } = await confined.launch(words, [theirs, theirs], limits, folder, (uid) => {
      makeStay(tap.fd, uid);
      replaceByNothing(tap.fd);
    });
    close(theirs);
    const inside = attempts(await said);
    await ended;
    const outside = attempts(await unconfined(tap, words, runFolder));
    await confined.close();
    await launcher.close();
    await sibling.stop();
    expect([...outside.keys()]).toEqual([...inside.keys()]);
    const done = [...inside].filter(([, outcome]) => outcome === 'done').map(([what]) => what);
    const always = ['open its own tap', 'make a socket in its own folder'];
    expect(done.toSorted()).toEqual([...always, ...(hasOwnUid ? [] : whatOneUidMay)].toSorted());
    // The control: outside each of them succeeds, but for what this kernel or its user cannot do at all.
    const impossible = [...outside].filter(([, outcome]) => outcome !== 'done');
    console.log(`own uid: ${hasOwnUid}; not possible outside either: ${impossible.join('; ') || 'nothing'}`);
    expect(impossible.length).toBeLessThan(4);
    removeRunFolder(folder);
  },
  patienceMs,
);

/** VMs of one uid may speak to each other's sockets; their taps are in namespaces of their own, but for this test's. */
const whatOneUidMay = [
  'open a tap of another VM',
  'speak to the API of another VM',
  'speak to the guest of another VM',
  'remove the API of another VM',
  'make a socket in the folder of another VM',
];

/** The positive control: the same program, as all others are started. */
async function unconfined(tap: HandedTap, words: readonly string[], folder: string): Promise<string> {
  const enter = [`--net=/proc/${process.pid}/fd/${tap.networkFd}`, ...words];
  const child = spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder });
  return text(child.stdout);
}
