/**
 * Firecracker confined as QEMU is, but for the sockets that it binds, and for the tap that it opens by its name.
 * Invariant: /dev/net/tun is there for a VM with an eth0 alone, which stands in the network namespace of its tap and in
 * no other; it has no socket but local ones there either.
 */
import { existsSync, statSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { VmmPort } from '#reference/contract/vmm-port.ts';
import { ConfinedLauncher, type Launcher, launchPrograms } from '../confinement/confined-launcher.ts';
import type { OpenPaths } from '../confinement/landlock.ts';
import { type DeviceAccess, deviceAccess } from '../confinement/privileges.ts';
import type { CgroupsPort } from '../confinement/vm-cgroups.ts';
import { kvmAccess, openPaths } from '../confinement/vmm-paths.ts';
import type { StorageKey } from '../manifest/storage-key.ts';
import { firecrackerFault } from './api-client.ts';
import { firecrackerVersion, openFirecracker } from './firecracker.ts';

const tun = '/dev/net/tun';

export interface ConfinedFirecracker {
  /** Below it alone are sockets made. */
  readonly runFolder: string;
  readonly binary?: string | undefined;
  readonly cgroups?: CgroupsPort | null;
  readonly storageKey?: StorageKey | null;
}

/**
 * FIRECRACKER_BIN, or the one that is named.
 * @throws CodedError `no-firecracker`, `no-landlock`, `vmm-failed`
 */
export async function openConfinedFirecracker({
  runFolder,
  binary = process.env.FIRECRACKER_BIN,
  cgroups = null,
  storageKey = null,
}: ConfinedFirecracker): Promise<VmmPort> {
  if (binary === undefined) {
    throw new CodedError('no-firecracker', 'no Firecracker is named', 'set FIRECRACKER_BIN to the program');
  }
  await firecrackerVersion([binary]);
  const paths = openPaths(binary, 'kvm');
  const launchers = await openLaunchers(
    { ...paths, programs: [...launchPrograms, ...paths.programs], sockets: [runFolder] },
    kvmAccess(),
    cgroups,
  );
  return openFirecracker({ command: [binary], ...launchers, runFolder, storageKey });
}

export interface Launchers {
  readonly launcher: Launcher;
  readonly launcherIn: (networkFd: number) => Promise<Launcher>;
}

/**
 * @param device that every one of them opens besides
 * @param cgroups where each has one; closed with the first of the launchers
 * @throws CodedError `no-landlock`, `vmm-failed`
 */
export async function openLaunchers(
  paths: OpenPaths,
  device: DeviceAccess,
  cgroups: CgroupsPort | null = null,
): Promise<Launchers> {
  const launcher = await ConfinedLauncher.start(paths, device, cgroups);
  const shared = cgroups === null ? null : keptOpen(cgroups);
  const withTun = { ...paths, writable: [...paths.writable, tun] };
  return {
    launcher,
    launcherIn: async (networkFd) => {
      if (!existsSync(tun)) throw firecrackerFault(`there is no ${tun}`);
      return ConfinedLauncher.start(withTun, both(device, deviceAccess(statSync(tun))), shared, networkFd);
    },
  };
}

/** Both can be opened, or neither by another uid. */
export function both(one: DeviceAccess, other: DeviceAccess): DeviceAccess {
  return {
    byOthers: one.byOthers && other.byOthers,
    groups: [...new Set([...one.groups, ...other.groups])],
  };
}

/** A launcher that ends closes those of the others not. */
function keptOpen(cgroups: CgroupsPort): CgroupsPort {
  return { make: (bounds) => cgroups.make(bounds), close: async () => undefined };
}
