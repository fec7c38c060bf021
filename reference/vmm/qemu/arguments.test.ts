/** What QEMU is started with, and machines that it is not started for. */
import { expect, test } from 'vitest';
import type { Machine } from '#reference/contract/vmm-port.ts';
import { bootArguments, limitsOf, machineArguments, placeArguments } from './arguments.ts';

const machine: Machine = { memoryMiB: 512, cpus: 1, cpuModel: 'max', guestMac: null, generationId: 'none' };
const said = (differing: Partial<Machine>) => machineArguments({ ...machine, ...differing }, 'tcg').join(' ');

test.for([
  [{ memoryMiB: 0 }, /memoryMiB/],
  [{ memoryMiB: 4_096 }, /memoryMiB/],
  [{ memoryMiB: 1.5 }, /memoryMiB/],
  [{ cpus: 0 }, /cpus/],
  [{ cpus: 17 }, /cpus/],
  [{ cpuModel: '' }, /cpuModel/],
  [{ cpuModel: 'max -device x' }, /cpuModel/],
  [{ cpuModel: '-S' }, /cpuModel/],
  [{ guestMac: '01:00:5e:00:00:01' }, /guestMac/],
  [{ guestMac: '02:00:00:00:00:01,romfile=x' }, /guestMac/],
] as const)('a machine of %j is refused', ([differing, message]) => {
  expect(() => said(differing)).toThrow(expect.objectContaining({ code: 'bad-machine' }));
  expect(() => said(differing)).toThrow(message);
});

test('a deterministic clock is refused where a CPU runs by itself', () => {
  const deterministic = { ...machine, isDeterministic: true } as const;
  expect(said(deterministic)).toContain('-icount');
  expect(() => machineArguments(deterministic, 'kvm')).toThrow(/deterministic/);
});

test('a device is there when it is asked for, and every VMM has its sandbox', () => {
  expect(said({})).not.toMatch(/virtio-net|vmgenid|icount/);
  expect(said({ guestMac: '02:00:00:00:00:01' })).toContain(
    'virtio-net-pci,netdev=eth0,mac=02:00:00:00:00:01',
  );
  expect(said({ generationId: 'fresh' })).toContain('vmgenid,guid=auto');
  expect(said({ generationId: 'stale' })).toMatch(/vmgenid,guid=0{8}-/);
  expect(said({})).toContain(
    '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  );
});

test('a template shares its memory, a fork does not; a cable leads to the tap or nowhere', () => {
  const networked = { ...machine, guestMac: '02:00:00:00:00:01' };
  expect(placeArguments(machine, true, null).join(' ')).toMatch(/share=on$/);
  expect(placeArguments(machine, false, null).join(' ')).toMatch(/share=off$/);
  expect(placeArguments(networked, false, 10).join(' ')).toContain('tap,id=eth0,fd=10,vhost=off');
  expect(placeArguments(networked, false, null).join(' ')).toContain('hubport');
});

test('the limits grow with the machine', () => {
  const [small, large] = [limitsOf(machine), limitsOf({ ...machine, memoryMiB: 1_024, cpus: 4 })];
  expect(large.dataOctets).toBeGreaterThan(small.dataOctets);
  expect(large.fileOctets - small.fileOctets).toBe(512 << 20);
});

test('a guest with one translated CPU stands beside an empty seat, which it does not prepare for', () => {
  expect(said({})).toContain('-smp cpus=1,maxcpus=2');
  expect(said({ cpus: 4 })).toContain('-smp cpus=4,maxcpus=4');
  expect(machineArguments(machine, 'kvm').join(' ')).toContain('-smp cpus=1,maxcpus=1');
  expect(bootArguments(machine, 'quiet').at(-1)).toBe('quiet nr_cpus=1');
});
