/** QEMU does what every VMM does. */
import { existsSync } from 'node:fs';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { vmmPortContract } from '#reference/vmm/vmm-port-contract.ts';
import { volumeSlots } from '#reference/vmm/volumes/volume-contract.ts';
import { contractBoot } from './contract-guest.ts';

vmmPortContract(async () => {
  const boot = await contractBoot({ volumes: volumeSlots });
  const { accelerator } = await probeAccelerator();
  const vmm = await openQemu(accelerator);
  return {
    vmm,
    another: () => openQemu(accelerator),
    spec: boot.spec,
    hasWitness: true,
    hasVolumes: true,
    isThere: (pid) => existsSync(`/proc/${pid}`),
    close: async () => {
      await vmm.close();
      boot.close();
    },
  };
});
