/** What a guest and its VMM may cost, where they are, and how they end. Needs: tun. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { createTap } from '#reference/datapath/link.ts';
import { factsOf, refusalOf, Talk, within } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { type ContractBoot, contractBoot } from './contract-guest.ts';

const noPlace = { tapFd: null };
let vmm: VmmPort;
let boot: ContractBoot;
let snapshot: LoadedSnapshot;

beforeAll(async () => {
  vmm = await openQemu('tcg');
  boot = await contractBoot({ guestMac: '02:00:00:00:00:02', generationId: 'fresh' });
  const vm = await vmm.boot(boot.spec);
  snapshot = await vm.save(await factsOf(new Talk(vm)));
}, 240_000);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  boot?.close();
});

async function fork(place: { readonly tapFd: number | null } = noPlace) {
  const vm = await (await vmm.prepare(snapshot, place)).resume();
  return { vm, talk: new Talk(vm) };
}

const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });

test('a fork that the template booted without a network answers behind its tap', async () => {
  const tapFd = createTap('vm0');
  ip('address', 'add', '10.9.8.1/30', 'dev', 'vm0');
  ip('link', 'set', 'vm0', 'up');
  const { vm, talk } = await fork({ tapFd });
  expect(await talk.ask('address 10.9.8.2/30')).toBe('ok');
  expect(await talk.ask('reach 10.9.8.1')).toBe('reached');
  await vm.stop();
  close(tapFd);
  expect(() => ip('link', 'show', 'vm0')).toThrow();
});

test('a tap for a machine without eth0, and a machine that QEMU cannot make, are refused', async () => {
  const machine = { ...boot.spec.machine, guestMac: null };
  expect((await refusalOf(vmm.boot({ ...boot.spec, machine, place: { tapFd: 0 } }))).code).toBe(
    'bad-machine',
  );
  const unknown = { ...boot.spec, machine: { ...boot.spec.machine, cpuModel: 'nobody' } };
  const { code, message } = await refusalOf(vmm.boot(unknown));
  expect(code).toBe('vmm-failed');
  expect(message).toMatch(/unable to find CPU model/);
});

test('a guest that prints without end has a tail of it kept, and is none the slower to be stopped', async () => {
  const { vm, talk } = await fork();
  await talk.ask('flood 100000');
  await expect.poll(() => vm.consoleTail().length, { timeout: 20_000 }).toBe(65_536);
  await within(vm.stop(), 'its end', 5_000);
});

test('a guest in a loop is read and stopped all the same', async () => {
  const { vm } = await fork();
  vm.channel('control').write('spin\n');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await vm.generator()).toEqual(snapshot.manifest.generatorAtSnapshot);
  await within(vm.stop(), 'its end', 5_000);
  expect(existsSync(`/proc/${vm.pid}`)).toBe(false);
});

test('what a fork writes is its own alone: it costs what it writes, and a sibling next to nothing', async () => {
  const [greedy, other] = [await fork(), await fork()];
  expect(await greedy.talk.ask('fill 16')).toBe('ok');
  expect(await other.talk.ask('ping')).toBe('pong');
  expect(privateMiB(greedy.vm)).toBeGreaterThan(16);
  expect(privateMiB(greedy.vm)).toBeLessThanOrEqual(boot.spec.machine.memoryMiB);
  expect(privateMiB(other.vm)).toBeLessThan(10);
  await Promise.all([greedy.vm.stop(), other.vm.stop()]);
});

test('the command line of a VMM holds what the manifest says, descriptors, and nothing else', async () => {
  const { vm } = await fork();
  const words = readFileSync(`/proc/${vm.pid}/cmdline`, 'utf8').split('\0').slice(1, -1);
  expect(words.slice(0, snapshot.manifest.arguments.length)).toEqual(snapshot.manifest.arguments);
  const own = words.slice(snapshot.manifest.arguments.length).join(' ');
  expect(own.replaceAll(/\bfd[=/]\d+\b/g, 'fd')).toMatchInlineSnapshot(
    `"-chardev socket,id=monitor,fd -mon chardev=monitor,mode=control -chardev socket,id=console,fd -chardev socket,id=control,fd -chardev socket,id=services,fd -object memory-backend-file,id=memory,size=96M,mem-path=/proc/self/fd,share=off -netdev hubport,id=eth0,hubid=0 -S -incoming defer"`,
  );
  expect(
    readFileSync(`/proc/${vm.pid}/environ`, 'utf8')
      // The C library ends each word of its own here, or leaves them.
      .split(/[\0:]/)
      .filter((one) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(one)),
  ).toEqual(['GLIBC_TUNABLES=glibc.malloc.hugetlb=1', 'glibc.malloc.arena_max=1', '']);
  await vm.stop();
});

test('VMs die with the process that has them, even when it is killed', async () => {
  const script = fileURLToPath(new URL('./boot-and-wait.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value = '' } = await within(lines.next(), 'two VMs');
  const pids = String(value).split(' ').map(Number);
  const there = () => pids.filter((pid) => existsSync(`/proc/${pid}`));
  expect(there()).toEqual(pids);
  child.kill('SIGKILL');
  await expect.poll(there, { timeout: 20_000 }).toEqual([]);
});

/** Of guest memory: what is not the snapshot's any more. */
function privateMiB({ pid }: RunningVm): number {
  const [, ...mappings] = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^.* \/memfd:memory .*$/m);
  const kibi = mappings.map((one) => Number(/^Private_Dirty:\s+(\d+) kB/m.exec(one)?.[1]));
  return kibi.reduce((sum, one) => sum + one, 0) / 1_024;
}
