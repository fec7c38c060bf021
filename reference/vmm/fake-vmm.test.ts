/** The fake does what every VMM does. */
import { writeSync } from 'node:fs';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import { contractProgram } from './contract-program.ts';
import { FakeVmm } from './fake-vmm.ts';
import { hashSealed } from './sealed-files.ts';
import { vmmPortContract } from './vmm-port-contract.ts';
import { volumeSlots } from './volumes/volume-contract.ts';

async function image(text: string): Promise<SealedFile> {
  const fd = createMemfd('image');
  writeSync(fd, text);
  seal(fd);
  return hashSealed(fd);
}

vmmPortContract(async () => {
  const vmm = new FakeVmm(contractProgram);
  return {
    vmm,
    another: async () => new FakeVmm(contractProgram),
    spec: {
      machine: {
        memoryMiB: 64,
        cpus: 1,
        cpuModel: 'max',
        guestMac: null,
        generationId: 'none',
        volumes: volumeSlots,
      },
      kernel: await image('kernel'),
      initrd: await image('initrd'),
      commandLine: 'quiet',
      place: { tapFd: null },
    },
    hasWitness: true,
    hasVolumes: true,
    isThere: () => false,
    close: () => vmm.close(),
  };
});
