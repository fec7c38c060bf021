/**
 * A real Firecracker does what every VMM does: the contract that the stand-in is held to as well, confined, with an
 * eth0 and the guest of the contract on vsock.
 * Needs: firecracker
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initramfs } from '#kvm-lab/artifacts/initramfs.ts';
import { readLock, sha256 } from '#kvm-lab/artifacts/lock.ts';
import { firecrackerParts } from '#kvm-lab/providers/microvm/firecracker-readiness.ts';
import { close } from '#reference/base/syscalls.ts';
import { openConfinedFirecracker } from '#reference/vmm/firecracker/confined-firecracker.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { vmmPortContract } from '#reference/vmm/vmm-port-contract.ts';

const main = 'kvm-lab/guests/contract-over-vsock.ts';

/** Its modules are in its kernel. */
async function writeInitrd(folder: string): Promise<string> {
  const path = join(folder, 'initrd');
  writeFileSync(path, Buffer.concat(await initramfs(readLock(), [], main, () => undefined)), { mode: 0o600 });
  return path;
}

const verified = (destination: string) =>
  openVerified({ destination, sha256: sha256([readFileSync(destination)]), allowUnverified: false });

vmmPortContract(async () => {
  const parts = firecrackerParts();
  if ('reason' in parts) throw new Error(`${parts.reason}: ${parts.remedy}`);
  const runFolder = mkdtempSync(join(tmpdir(), 'fc-'));
  chmodSync(runFolder, 0o711);
  const open = () => openConfinedFirecracker({ runFolder, binary: parts.binary });
  const vmm = await open();
  const kernel = await verified(parts.kernel);
  const initrd = await verified(await writeInitrd(runFolder));
  return {
    vmm,
    another: open,
    spec: {
      machine: {
        ...{ memoryMiB: 256, cpus: 1, cpuModel: 'None' },
        ...{ guestMac: '02:00:00:00:00:02', generationId: 'fresh' as const },
      },
      ...{ kernel, initrd, commandLine: 'console=ttyS0 reboot=k panic=-1 quiet' },
      place: { tapFd: null },
    },
    hasWitness: true,
    hasVolumes: false,
    isThere: (pid) => existsSync(`/proc/${pid}`),
    close: async () => {
      await vmm.close();
      for (const { fd } of [kernel, initrd]) close(fd);
      rmSync(runFolder, { recursive: true });
    },
  };
});
