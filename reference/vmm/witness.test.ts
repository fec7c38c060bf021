/** Each reason why a fork has no host-side witness is told apart, with what to do. */
import { expect, test } from 'vitest';
import type { SnapshotManifest } from '#reference/contract/vmm-port.ts';
import { maxFlatMiB, whyNoWitness } from './witness.ts';

type Known = Pick<SnapshotManifest, 'generatorAddress' | 'guest' | 'vmm' | 'machine'>;

const known: Known = {
  generatorAddress: '1000',
  guest: { protocolVersions: [1], kernelRelease: '6.1.0-56', generatorSymbol: 'ffffffff81000000' },
  vmm: { name: 'firecracker', version: 'v1' },
  machine: { memoryMiB: 512, cpus: 1, cpuModel: 'None', guestMac: null, generationId: 'fresh' },
};
const unknown: Known = { ...known, generatorAddress: null };
const large = { ...known.machine, memoryMiB: maxFlatMiB + 1 };

test('where the address is known there is no reason', () => {
  expect(whyNoWitness(known)).toBeNull();
  expect(whyNoWitness({ ...known, machine: large })).toBeNull();
});

test.each<readonly [string, Known, RegExp, RegExp]>([
  ['an old kernel', { ...unknown, guest: { ...known.guest, kernelRelease: '5.15.0' } }, /5\.15\.0/, /5\.18/],
  [
    'a kernel that hides it',
    { ...unknown, guest: { ...known.guest, generatorSymbol: null } },
    /tell/,
    /kallsyms/,
  ],
  ['a Firecracker with a gap', { ...unknown, machine: large }, /one piece/, /3072 MiB/],
  [
    'a QEMU that large',
    { ...unknown, machine: large, vmm: { name: 'qemu', version: '7' } },
    /^qemu did not/,
    /anew/,
  ],
  ['nothing else', unknown, /^firecracker did not find it/, /anew/],
])('%s has its own', (_what, manifest, reason, remedy) => {
  const why = whyNoWitness(manifest);
  expect(why?.reason).toMatch(reason);
  expect(why?.remedy).toMatch(remedy);
});
