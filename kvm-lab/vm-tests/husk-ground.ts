/**
 * A husk on QEMU, behind the kernel's own datapath and the DNS proxy, in the network namespace of the calling thread;
 * and what of husks is left there, as the kernel says.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { HuskGround } from '#properties/engine/husk-contract.ts';
import { openLog } from '#reference/base/log.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { type DnsProxy, startDnsProxy } from '#reference/dnsproxy/dnsproxy.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { Husk } from '#reference/husk/husk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { probeAccelerator } from '../providers/microvm/accelerator.ts';
import { hostileSnapshot } from '../providers/microvm/hostile-template.ts';
import { guest, hosts, pod } from '../providers/topology.ts';

const log = openLog('husk', 'error');
const deadlineMs = 30_000;
/** No guest has answered by then. */
const hastyMs = 1;
const resolverPortHex = ':0035 ';

function said(program: string, ...words: string[]): string {
  const { stdout, status } = spawnSync(program, words, { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? stdout : '';
}

/** Interfaces, rules and listeners of husks in this namespace. */
export function leftInNamespace(): string[] {
  const links = said('ip', '-o', 'link').includes(guest.tap) ? [`tap ${guest.tap}`] : [];
  const rules = said('nft', 'list', 'ruleset')
    .split('\n')
    .filter((line) => line.includes(guest.tap));
  const listeners = ['udp', 'tcp'].filter((name) =>
    readFileSync(`/proc/thread-self/net/${name}`, 'utf8').includes(resolverPortHex),
  );
  return [...links, ...rules, ...listeners.map((name) => `a resolver on ${name}`)];
}

export class QemuHuskGround implements HuskGround {
  readonly snapshot: LoadedSnapshot;
  readonly printEnvironment = ['/bin/busybox', 'env'];
  readonly endMachine = ['/bin/busybox', 'reboot', '-f'];
  /** Of VMMs that were started. */
  readonly machines: number[] = [];
  readonly #vmm: VmmPort;
  readonly #store: WitnessStore;
  readonly #datapath: Datapath;
  readonly #dns: DnsProxy;

  private constructor(
    vmm: VmmPort,
    snapshot: LoadedSnapshot,
    store: WitnessStore,
    network: { readonly datapath: Datapath; readonly dns: DnsProxy },
  ) {
    this.#vmm = vmm;
    this.snapshot = snapshot;
    this.#store = store;
    this.#datapath = network.datapath;
    this.#dns = network.dns;
  }

  /** @param folder of the witnesses; it outlives the ground, as it outlives a husk that is killed */
  static async open(folder: string): Promise<QemuHuskGround> {
    const vmm = await openQemu((await probeAccelerator()).accelerator);
    try {
      const snapshot = await hostileSnapshot(vmm);
      const store = await WitnessStore.open(folder, log);
      const datapath = new Datapath(pod);
      const upstreams = [{ address: hosts.dnsServer, port: 53 }];
      const dns = await startDnsProxy({ upstreams, io: 'dgram', log });
      return new QemuHuskGround(vmm, snapshot, store, { datapath, dns });
    } catch (error) {
      await vmm.close();
      throw error;
    }
  }

  husk(kind?: 'hasty'): Husk {
    const waitMs = kind === 'hasty' ? hastyMs : deadlineMs;
    const activation = new Activation(this.#store, log, { deadlineMs: waitMs, requireWitness: true });
    const parts = { activation, datapath: this.#datapath, dns: this.#dns, pod, log };
    return new Husk(guest, { ...parts, vmm: this.#noted() });
  }

  #noted(): VmmPort {
    const vmm = this.#vmm;
    return {
      name: vmm.name,
      version: vmm.version,
      accelerator: vmm.accelerator,
      argumentsOf: (machine) => vmm.argumentsOf(machine),
      boot: (spec) => vmm.boot(spec),
      prepare: async (snapshot, place) => {
        const prepared = await vmm.prepare(snapshot, place);
        this.machines.push((prepared as typeof prepared & { readonly pid: number }).pid);
        return prepared;
      },
      store: (snapshot, folder) => vmm.store(snapshot, folder),
      load: (folder, digest) => vmm.load(folder, digest),
      adopt: (handed, digest) => vmm.adopt(handed, digest),
      close: () => vmm.close(),
    };
  }

  async left(): Promise<readonly string[]> {
    const alive = this.machines.filter((pid) => existsSync(`/proc/${pid}`));
    return [...alive.map((pid) => `VM ${pid}`), ...leftInNamespace()];
  }

  async close(): Promise<void> {
    await this.#dns.stop();
    this.#datapath.shutDown();
    await this.#vmm.close();
    this.snapshot.close();
    await this.#store.close();
  }
}
