/** Wires a fork engine on QEMU: what forkd and sandbox-server have in common. */
import type { Log } from '#reference/base/log.ts';
import type { NetworksPort } from '#reference/contract/network-port.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { EngineNetworks } from '../datapath/engine-networks.ts';
import { startDnsProxy } from '../dnsproxy/dnsproxy.ts';
import { readServers } from '../dnsproxy/resolv-conf.ts';
import { Forkd, type ForkdOptions } from '../forkd/forkd.ts';
import { guestMac } from '../forkd/templates.ts';
import { readStorageKey } from '../vmm/manifest/storage-key.ts';
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
  /** A file, or `fd:N`, with the key that templates on the disk are encrypted with; none: they are not. */
  readonly storageKeyFile?: string;
}

/** @throws CodedError `bad-storage-key`, `no-qemu`, `no-landlock`, `forkd-taken` and what `Forkd.start` throws */
export async function openEngine(
  { folder, accelerator, network, log, maxVms, storageKeyFile }: EngineFlags,
  more: Partial<ForkdOptions> = {},
): Promise<Forkd> {
  const storageKey = storageKeyFile === undefined ? null : readStorageKey(storageKeyFile);
  const vmm = await openQemu(accelerator, undefined, { storageKey });
  let networks: NetworksPort | null = null;
  try {
    networks = openNetworks(network, log);
    const vms = maxVms === undefined ? {} : { vms: { vms: maxVms } };
    return await Forkd.start({ folder, vmm, networks, log, ...vms, ...more });
  } catch (error) {
    await networks?.close();
    await vmm.close();
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
