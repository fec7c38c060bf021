/** What a husk stands on: QEMU, and the datapath and the resolver of the network namespace that it is started in. */
import type { Log } from '#reference/base/log.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { Datapath } from '../datapath/datapath.ts';
import { startDnsProxy } from '../dnsproxy/dnsproxy.ts';
import { parseEndpoint } from '../dnsproxy/parse-endpoint.ts';
import { readServers } from '../dnsproxy/resolv-conf.ts';
import { openQemu } from '../vmm/qemu/qemu.ts';
import type { HuskConfig } from './husk-config.ts';
import { type CgroupMode, cgroupsFor } from './open-engine.ts';
import type { HuskMachinery } from './serve-husk.ts';

/**
 * What was opened before a step that fails is closed.
 * @throws CodedError `no-upstream`, `bad-endpoint`, `no-cgroups`; as of `openQemu`, `Datapath` and `startDnsProxy`
 */
export async function openMachinery(
  { pod, upstreams }: HuskConfig,
  accelerator: Accelerator,
  cgroupMode: CgroupMode,
  log: Log,
): Promise<HuskMachinery> {
  const servers =
    upstreams === undefined
      ? readServers('/etc/resolv.conf')
      : upstreams.map((text) => parseEndpoint('upstreams', text, 53));
  const cgroups = cgroupsFor(cgroupMode, log);
  const opened: (() => Promise<void> | void | undefined)[] = [() => cgroups?.close()];
  try {
    const vmm = await openQemu(accelerator, undefined, { cgroups });
    // It closes the cgroups.
    opened.splice(0, 1, () => vmm.close());
    const datapath = new Datapath(pod);
    opened.unshift(() => datapath.shutDown());
    const dns = await startDnsProxy({ upstreams: servers, io: 'epoll', log });
    return { vmm, datapath, dns };
  } catch (error) {
    for (const close of opened) await close();
    throw error;
  }
}
