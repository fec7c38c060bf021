/** Wires a fork engine on QEMU: what forkd and sandbox-server have in common. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import type { NetworksPort } from '#reference/contract/network-port.ts';
import type { Accelerator, VmmPort } from '#reference/contract/vmm-port.ts';
import { EngineNetworks } from '../datapath/engine-networks.ts';
import { startDnsProxy } from '../dnsproxy/dnsproxy.ts';
import { readServers } from '../dnsproxy/resolv-conf.ts';
import { Forkd, type ForkdOptions } from '../forkd/forkd.ts';
import { guestMac } from '../forkd/templates.ts';
import { warmDeadlines } from '../forkd/warm-guest.ts';
import { type CgroupsPort, type OpenedCgroups, VmCgroups } from '../vmm/confinement/vm-cgroups.ts';
import { readStorageKey, type StorageKey } from '../vmm/manifest/storage-key.ts';
import { openQemu } from '../vmm/qemu/qemu.ts';

export const accelerators: readonly Accelerator[] = ['kvm', 'tcg'];

/** auto: where this machine can give one; else sandboxes that ask for a network are refused. */
export const networkModes = ['auto', 'none', 'required'] as const;
export type NetworkMode = (typeof networkModes)[number];

export interface EngineFlags {
  readonly network: NetworkMode;
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly log: Log;
  readonly maxVms?: number;
  /** Of the templates in the folder. */
  readonly maxStateMiB?: number;
  readonly cgroups?: CgroupMode;
  /** Until a template's agent answers; what else it is asked for, and a sandbox to freeze, has a share of it. */
  readonly bootSeconds?: number;
  /** Of each leg of the gate. */
  readonly gateSeconds?: number;
  /** A file, or `fd:N`, with the key that templates on the disk are encrypted with; none: they are not. */
  readonly storageKeyFile?: string;
}

/** auto: each VM has a cgroup where this process may divide its own; else rlimits alone bound it. */
export const cgroupModes = ['auto', 'none', 'required'] as const;
export type CgroupMode = (typeof cgroupModes)[number];

/** @throws CodedError `bad-storage-key`, `no-qemu`, `no-landlock`, `forkd-taken` and what `Forkd.start` throws */
export async function openEngine(flags: EngineFlags, more: Partial<ForkdOptions> = {}): Promise<Forkd> {
  const { folder, accelerator, network, log, cgroups = 'none', storageKeyFile } = flags;
  const storageKey = storageKeyFile === undefined ? null : readStorageKey(storageKeyFile);
  const vmm = await openVmm(accelerator, { mode: cgroups, storageKey, overlayFolder: folder, log });
  let networks: NetworksPort | null = null;
  try {
    networks = openNetworks(network, log);
    return await Forkd.start({ folder, vmm, networks, log, ...boundsOf(flags), ...more });
  } catch (error) {
    await networks?.close();
    await vmm.close();
    throw error;
  }
}

function boundsOf({ maxVms, maxStateMiB, bootSeconds, gateSeconds }: EngineFlags): Partial<ForkdOptions> {
  const { bootMs, answerMs } = warmDeadlines;
  const longer = bootSeconds === undefined ? 1 : (bootSeconds * 1_000) / bootMs;
  return {
    ...(maxVms === undefined ? {} : { vms: { vms: maxVms } }),
    ...(maxStateMiB === undefined ? {} : { maxStateOctets: maxStateMiB * 2 ** 20 }),
    ...(gateSeconds === undefined ? {} : { activation: { deadlineMs: gateSeconds * 1_000 } }),
    deadlines: { bootMs: bootMs * longer, answerMs: answerMs * longer },
  };
}

/** Says once what bounds a VM. @throws CodedError `no-cgroups` */
export function cgroupsFor(
  mode: CgroupMode,
  log: Pick<Log, 'info'>,
  open: () => OpenedCgroups = () => VmCgroups.open(),
): CgroupsPort | null {
  const { cgroups, why } = mode === 'none' ? { cgroups: null, why: 'they are not asked for' } : open();
  if (cgroups === null && mode === 'required') {
    const remedy =
      'give this process a cgroup of its own to divide (systemd: Delegate=yes), or --cgroups auto';
    throw new CodedError('no-cgroups', `no VM can have a cgroup: ${why}`, remedy);
  }
  if (cgroups === null)
    log.info({ why }, 'rlimits bound each VM (data, fsize, nofile, nproc), and no cgroup');
  else log.info('a cgroup bounds each VM (memory.max, pids.max, cpu.max), and rlimits');
  return cgroups;
}

interface VmmParts {
  readonly mode: CgroupMode;
  readonly storageKey: StorageKey | null;
  /** What guests write to private volumes is on the disk of the engine's other state. */
  readonly overlayFolder: string;
  readonly log: Log;
}

async function openVmm(
  accelerator: Accelerator,
  { mode, storageKey, overlayFolder, log }: VmmParts,
): Promise<VmmPort> {
  const cgroups = cgroupsFor(mode, log);
  try {
    return await openQemu(accelerator, undefined, { cgroups, storageKey, overlayFolder });
  } catch (error) {
    await cgroups?.close();
    throw error;
  }
}

function openNetworks(mode: NetworkMode, log: Log): NetworksPort | null {
  if (mode === 'none') return null;
  try {
    return new EngineNetworks({
      guestMac,
      startResolver: (namespacePath) =>
        startDnsProxy({ upstreams: readServers('/etc/resolv.conf'), io: 'epoll', log, namespacePath }),
    });
  } catch (error) {
    if (mode === 'required') throw error;
    log.warn(
      { why: error instanceof Error ? error.message : String(error) },
      'no sandbox can have a network',
    );
    return null;
  }
}
