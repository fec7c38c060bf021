/** Whether a real Firecracker can be had here. Nothing of it is fetched: its program and a kernel for it are named. */
import { existsSync } from 'node:fs';
import { firecrackerVersion } from '#reference/vmm/firecracker/firecracker.ts';
import type { Unsupported } from '../unsupported.ts';
import { probeAccelerator } from './accelerator.ts';

export interface FirecrackerParts {
  readonly binary: string;
  /** ELF, uncompressed. */
  readonly kernel: string;
}

const kernelRemedy =
  'set FIRECRACKER_KERNEL to an uncompressed kernel (vmlinux) with virtio_mmio, virtio_net and vsock built in';

export function firecrackerParts(): FirecrackerParts | Unsupported {
  const { FIRECRACKER_BIN: binary, FIRECRACKER_KERNEL: kernel } = process.env;
  if (binary === undefined || binary === '') {
    return {
      reason: 'no firecracker binary',
      remedy: `set FIRECRACKER_BIN to the program, and ${kernelRemedy.slice(4)}`,
    };
  }
  if (kernel === undefined || !existsSync(kernel)) {
    return { reason: 'no kernel for firecracker', remedy: kernelRemedy };
  }
  return { binary, kernel };
}

/** Asks the program for its version, and boots a probe for KVM. */
export async function firecrackerUnsupported(): Promise<Unsupported | null> {
  const parts = firecrackerParts();
  if ('reason' in parts) return parts;
  try {
    await firecrackerVersion([parts.binary]);
  } catch {
    const reason = `${parts.binary} is no firecracker that runs here`;
    return { reason, remedy: 'set FIRECRACKER_BIN to a program that tells its version' };
  }
  const { accelerator } = await probeAccelerator();
  if (accelerator === 'kvm') return null;
  return {
    reason: 'no KVM that runs a guest',
    remedy: 'use a machine whose probe boot picks kvm: pnpm lab doctor',
  };
}
