/**
 * The means by which a fork's generator is read where its VMM has no request for it, held against one that has: QEMU's
 * own word on a real guest. What differs in Firecracker is who maps the memory, and that is the kernel's doing alike.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import type { LoadedSnapshot, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';
import { factsOf, Talk } from '#reference/vmm/contract-talk.ts';
import { physicalOf, readMapped, readSaved } from '#reference/vmm/firecracker/guest-memory.ts';
import { generationOffset, generatorOctets, readGenerator } from '#reference/vmm/generator.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { type ContractBoot, contractBoot } from './contract-guest.ts';

const patienceMs = 300_000;
let boot: ContractBoot;
let vmm: VmmPort;
let snapshot: LoadedSnapshot;

beforeAll(async () => {
  boot = await contractBoot();
  vmm = await openQemu((await probeAccelerator()).accelerator);
  const vm = await vmm.boot(boot.spec);
  snapshot = await vm.save(await factsOf(new Talk(vm)));
}, patienceMs);

afterAll(async () => {
  snapshot?.close();
  await vmm?.close();
  boot?.close();
});

function place() {
  const { generatorAddress, guest } = snapshot.manifest;
  const offset = generationOffset(guest.kernelRelease);
  if (generatorAddress === null || offset === null) throw new Error('the guest has no known generator');
  return { address: Number.parseInt(generatorAddress, 16), offset };
}

const mapped = (vm: RunningVm) => {
  const { address, offset } = place();
  return readGenerator(readMapped(vm.pid, snapshot.memory.fd, address, generatorOctets), offset);
};

test(
  'the page tables in the saved memory lead to where QEMU says that the generator is',
  async () => {
    const { address, offset } = place();
    const symbol = BigInt(`0x${snapshot.manifest.guest.generatorSymbol}`);
    expect(await physicalOf(snapshot.memory, symbol)).toBe(address);
    expect(readGenerator(readSaved(snapshot.memory, address, generatorOctets), offset)).toEqual(
      snapshot.manifest.generatorAtSnapshot,
    );
    // Nothing is mapped there: the hole between modules and vsyscall pages.
    expect(await physicalOf(snapshot.memory, 0xffff_ffff_ff40_0000n)).toBeNull();
  },
  patienceMs,
);

test(
  'a fork’s mapping shows what QEMU shows, before and after its kernel renews itself, and a sibling’s its own',
  async () => {
    const fork = async () => (await vmm.prepare(snapshot, { tapFd: null })).resume();
    const [one, other] = [await fork(), await fork()];
    const before = mapped(one);
    expect(before).toEqual(await one.generator());
    expect(before).toEqual(snapshot.manifest.generatorAtSnapshot);
    expect(await new Talk(one).ask('reseed')).toBe('ok');
    const after = mapped(one);
    expect(after).toEqual(await one.generator());
    expect(after.keySha256).not.toBe(before.keySha256);
    expect(BigInt(after.generation)).toBeGreaterThan(BigInt(before.generation));
    expect(mapped(other)).toEqual(await other.generator());
    expect(mapped(other).keySha256).not.toBe(after.keySha256);
    const open = readdirSync('/proc/self/fd').length;
    for (let each = 0; each < 10; each++) mapped(other);
    expect(readdirSync('/proc/self/fd').length).toBe(open);
    await Promise.all([one.stop(), other.stop()]);
    expect(() => mapped(one)).toThrow(/^the memory of process \d+ cannot be read/);
  },
  patienceMs,
);
