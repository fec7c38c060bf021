/** A husk on the fake VMM, with a datapath and a resolver that note what is asked of them, and fail when told to. */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { close } from '#reference/base/syscalls.ts';
import type { SandboxNetwork } from '#reference/contract/datapath.ts';
import type { DatapathPort } from '#reference/contract/datapath-port.ts';
import type { DnsProxyPort } from '#reference/contract/dns-port.ts';
import type { LoadedSnapshot, SealedFile } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { warmAndSave } from '#reference/forkd/warm-guest.ts';
import { Husk } from '#reference/husk/husk.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { engineGuest } from './engine-guest.ts';
import type { HuskGround } from './husk-contract.ts';

const guestMac = '02:00:00:00:00:02';
const network: SandboxNetwork = {
  ...{ tap: 'tap-a', tapMac: '02:00:00:00:00:01', guestMac, ipv6: null },
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
};
const log = openLog('test', 'silent');

export class FakeHuskGround implements HuskGround {
  readonly snapshot: LoadedSnapshot;
  readonly printEnvironment = ['env'];
  readonly endMachine = ['panic'];
  readonly vmm: FakeVmm;
  readonly guest: ReturnType<typeof engineGuest>;
  /** In order: what was asked of datapath, resolver and guest. */
  readonly asked: string[];
  /** Calls that fail from now on. */
  readonly failing = new Set<string>();
  readonly #folder: string;
  readonly #store: WitnessStore;
  readonly #taps = new Set<string>();
  readonly #resolvers = new Set<string>();

  private constructor(
    parts: { vmm: FakeVmm; guest: ReturnType<typeof engineGuest>; snapshot: LoadedSnapshot },
    folder: string,
    store: WitnessStore,
  ) {
    this.vmm = parts.vmm;
    this.guest = parts.guest;
    this.snapshot = parts.snapshot;
    this.asked = parts.guest.asked;
    this.#folder = folder;
    this.#store = store;
  }

  static async open(): Promise<FakeHuskGround> {
    const guest = engineGuest();
    const vmm = new FakeVmm((machine, line, channel) =>
      line.includes('"argv":["panic"]') ? machine.end() : guest.program(machine, line, channel),
    );
    const [kernel, initrd] = [image('a kernel'), image('an initrd')];
    const machine = { memoryMiB: 64, cpus: 1, cpuModel: 'max', guestMac, generationId: 'fresh' } as const;
    const place = { tapFd: null };
    const vm = await vmm.boot({ machine, kernel, initrd, commandLine: 'quiet', place });
    const snapshot = await warmAndSave(vm, { init: [], allowProcesses: [] });
    for (const { fd } of [kernel, initrd]) close(fd);
    const folder = mkdtempSync(`${tmpdir()}/huskproof-husk-`);
    return new FakeHuskGround({ vmm, guest, snapshot }, folder, await WitnessStore.open(folder, log));
  }

  husk(kind?: 'hasty'): Husk {
    this.asked.length = 0;
    if (kind === 'hasty') this.guest.lies.push('silent');
    // An insert waits for a disk that may be busy.
    const deadlineMs = kind === 'hasty' ? 50 : 20_000;
    const activation = new Activation(this.#store, log, { deadlineMs, requireWitness: true });
    const pod = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
    const [datapath, dns] = [this.#datapath(), this.#dns()];
    return new Husk(network, { vmm: this.vmm, activation, datapath, dns, pod, log });
  }

  async left(): Promise<readonly string[]> {
    return [
      ...[...this.#taps].map((tap) => `tap ${tap}`),
      ...[...this.#resolvers].map((tap) => `resolver of ${tap}`),
      ...(this.vmm.live === 0 ? [] : [`${this.vmm.live} VMs`]),
    ];
  }

  #call(what: string): void {
    this.asked.push(what);
    if (this.failing.has(what)) throw new CodedError('ruleset-refused', `${what} is told to fail`, 'nothing');
  }

  #datapath(): DatapathPort {
    const unused = () => {
      throw new Error('nothing that a husk asks for');
    };
    const waiting = new Set<string>();
    return {
      open: ({ tap }, { egress, allow }) => {
        this.#call('datapath open');
        if (egress !== 'deny' || allow.length > 0) throw new Error('the datapath of a dormant husk is open');
        this.#taps.add(tap);
        return { fd: openSync('/dev/null', 'r'), index: 7 };
      },
      change: () => this.#call('datapath change'),
      cutOff: (tap) => {
        this.#call('datapath cut off');
        waiting.add(tap);
      },
      reap: () => {
        this.#call('datapath reap');
        for (const tap of waiting) this.#taps.delete(tap);
      },
      close: unused,
      closeInBackground: unused,
      addPins: unused,
      deletePins: unused,
      shutDown: unused,
    };
  }

  #dns(): DnsProxyPort {
    return {
      attach: async ({ tap }) => {
        this.#call('resolver attach');
        this.#resolvers.add(tap);
      },
      detach: async (tap) => {
        this.#call('resolver detach');
        this.#resolvers.delete(tap);
      },
      change: () => Promise.reject(new Error('nothing that a husk asks for')),
      metrics: async () => '',
      stop: async () => undefined,
    };
  }

  async close(): Promise<void> {
    await this.vmm.close();
    this.snapshot.close();
    await this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function image(text: string): SealedFile {
  const fd = createMemfd('image');
  const octets = writeSync(fd, Buffer.concat([Buffer.from(text), randomBytes(8)]));
  seal(fd);
  return { fd, sha256: hash('sha256', text), octets };
}
