/** QEMU does what every VMM does. */
import { existsSync } from 'node:fs';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { close } from '#reference/base/syscalls.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { vmmPortContract } from '#reference/vmm/vmm-port-contract.ts';
import { contractGuest } from './contract-guest.ts';

vmmPortContract(async () => {
  const folder = makeLabFolder('contract');
  const guest = await contractGuest(folder);
  const open = (destination: string, sha256: string) =>
    openVerified({ destination, sha256, allowUnverified: false });
  const kernel = await open(guest.kernel, guest.kernelSha256);
  const initrd = await open(guest.initrd, guest.initrdSha256);
  const { accelerator } = await probeAccelerator();
  const vmm = await openQemu(accelerator);
  return {
    vmm,
    another: () => openQemu(accelerator),
    spec: {
      machine: { memoryMiB: 96, cpus: 1, cpuModel: 'max', guestMac: null, generationId: 'none' },
      kernel,
      initrd,
      commandLine: guest.commandLine,
      place: { tapFd: null },
    },
    isThere: (pid) => existsSync(`/proc/${pid}`),
    close: async () => {
      await vmm.close();
      close(kernel.fd);
      close(initrd.fd);
      removeLabFolder(folder);
    },
  };
});
