/** Snapshots for tests of how they are stored and handed over: octets in sealed memory, of a machine that never ran. */
import { writeSync } from 'node:fs';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import type { LoadedSnapshot, SealedFile, SnapshotManifest } from '#reference/contract/vmm-port.ts';
import { hashSealed } from '../sealed-files.ts';
import type { Environment } from './manifest.ts';
import { snapshotOf } from './snapshot-folder.ts';

export const environment: Environment = {
  vmm: { name: 'qemu', version: '1' },
  accelerator: 'tcg',
  argumentsOf: () => ['-x'],
};

export async function sealed(octets: Buffer): Promise<SealedFile> {
  const fd = createMemfd('test');
  for (let at = 0; at < octets.length; ) at += writeSync(fd, octets, at);
  seal(fd);
  return hashSealed(fd);
}

export async function snapshotWith(memoryOctets: Buffer, state: string): Promise<LoadedSnapshot> {
  const [memory, deviceState] = [await sealed(memoryOctets), await sealed(Buffer.from(state))];
  const manifest: SnapshotManifest = {
    format: 1,
    vmm: environment.vmm,
    accelerator: 'tcg',
    machine: { memoryMiB: 1, cpus: 1, cpuModel: 'max', guestMac: null, generationId: 'none' },
    arguments: ['-x'],
    commandLine: '',
    kernelSha256: '0'.repeat(64),
    initrdSha256: '0'.repeat(64),
    memory: { sha256: memory.sha256, octets: memory.octets },
    deviceState: { sha256: deviceState.sha256, octets: deviceState.octets },
    guest: { protocolVersions: [1], kernelRelease: '6.1', generatorSymbol: null },
    generatorAddress: null,
    generatorAtSnapshot: null,
  };
  return snapshotOf(manifest, memory, deviceState);
}
