/**
 * Why a VMM cannot look at the generator in forks of a snapshot, in words for the one who has to do something about it.
 * Invariant: where there is a reason there is a remedy; where the manifest names the generator's address there is none.
 */
import type { SnapshotManifest } from '#reference/contract/vmm-port.ts';
import { generationOffset } from './generator.ts';

export interface NoWitness {
  readonly reason: string;
  readonly remedy: string;
}

/** Of a machine of Firecracker: beyond it memory goes on behind a gap, and a file's offset is no address. */
export const maxFlatMiB = 3_072;

/** null: it can. */
export function whyNoWitness({
  generatorAddress,
  guest,
  vmm,
  machine,
}: Pick<SnapshotManifest, 'generatorAddress' | 'guest' | 'vmm' | 'machine'>): NoWitness | null {
  if (generatorAddress !== null) return null;
  if (generationOffset(guest.kernelRelease) === null) {
    return {
      reason: `the generator of a kernel ${guest.kernelRelease} is of another make`,
      remedy: 'build the template on Linux 5.18 or later',
    };
  }
  if (guest.generatorSymbol === null) {
    return {
      reason: 'the guest’s kernel does not tell where its generator is',
      remedy: 'boot the template with a kernel that has kallsyms, and an agent that may read them',
    };
  }
  if (vmm.name === 'firecracker' && machine.memoryMiB > maxFlatMiB) {
    return {
      reason: `the memory of a Firecracker is read in one piece, which ${machine.memoryMiB} MiB are not`,
      remedy: `give the machine at most ${maxFlatMiB} MiB, or use the VMM qemu`,
    };
  }
  return {
    reason: `${vmm.name} did not find it when the template was saved`,
    remedy: 'build the template anew',
  };
}
