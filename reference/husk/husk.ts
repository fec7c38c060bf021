/**
 * The engine of one husk: exactly one VM, prepared while nobody has claimed it, activated once.
 * Invariant: while it is dormant its guest runs nothing and its datapath lets nothing pass; nothing is delivered before
 * the gate; whatever is refused or ended has left nothing, and a husk that was activated is never dormant again.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import { close } from '#reference/base/syscalls.ts';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import type { DatapathPort } from '#reference/contract/datapath-port.ts';
import type { DnsEndpoint, DnsProxyPort, DnsSandboxPolicy } from '#reference/contract/dns-port.ts';
import type { ExecInProgress, Secret, TakeOutput } from '#reference/contract/fork-engine-port.ts';
import type { ExecRequest, GuestNetwork } from '#reference/contract/guest-protocol.ts';
import type { HuskPhase, HuskTimes } from '#reference/contract/husk-control.ts';
import type { LoadedSnapshot, PreparedVm, VmmPort } from '#reference/contract/vmm-port.ts';
import type { ActivatedFork, Activation } from '../fork-engine/activation.ts';
import { forkSourceOf } from '../fork-engine/fork-source.ts';
import { checkSecrets, deliverSecrets, secretVariables } from '../fork-engine/secrets.ts';
import { ServiceChannel } from '../fork-engine/service-channel.ts';

export interface HuskParts {
  readonly vmm: VmmPort;
  readonly activation: Activation;
  readonly datapath: DatapathPort;
  readonly dns: DnsProxyPort;
  /** What the DNS proxy must know of the pod. */
  readonly pod: Pick<PodNetwork, 'denyCIDRs' | 'nat64Prefixes' | 'pinPrivateCIDRs'>;
  readonly log: Log;
}

export interface HuskOrder {
  readonly policy: SandboxPolicy;
  readonly secrets: readonly Secret[];
  readonly hostname?: string;
}

export interface ActivatedHusk extends HuskTimes {
  readonly generation: number;
}

const closed: SandboxPolicy = { egress: 'deny', allow: [], inbound: [] };
const resolverPort = 53;

/** Of a policy that is none: nothing of it was put in force. */
const notAPolicy: readonly string[] = ['bad-allow-entry', 'bad-network', 'bad-prefix'];

export const notDormant = (phase: HuskPhase): CodedError =>
  new CodedError(
    'husk-not-dormant',
    `the husk is ${phase}: it is prepared once and activated once`,
    'take another husk; one that was activated is never released again',
  );

interface Active {
  readonly id: string;
  /** In force. */
  policy: SandboxPolicy;
  readonly services: ServiceChannel;
  readonly secrets: readonly Secret[];
}

export class Husk {
  readonly #parts: HuskParts;
  readonly #network: SandboxNetwork;
  #phase: HuskPhase = 'new';
  #snapshot: LoadedSnapshot | null = null;
  /** Ends when there is a VM, or none. */
  #preparing: Promise<PreparedVm> | null = null;
  #prepared: PreparedVm | null = null;
  /** Once the VM runs, its end is the activation's to begin. */
  #vmId: string | null = null;
  #isOpen = false;
  /** Ends when the proxy knows of it, or does not. */
  #attaching: Promise<unknown> | null = null;
  #active: Active | null = null;
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  /** Begun once. */
  #ending: Promise<void> | null = null;
  readonly #ended = Promise.withResolvers<void>();

  constructor(network: SandboxNetwork, parts: HuskParts) {
    this.#network = network;
    this.#parts = parts;
  }

  get phase(): HuskPhase {
    return this.#phase;
  }

  /** When nothing is left of it; rejects with what could not be taken away. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * The tap behind a datapath that lets nothing pass, and a VM on it that has not run an instruction.
   * @param snapshot stays the caller's to close, once the husk was activated or has ended
   * @throws CodedError `husk-not-dormant`, `bad-network` and as of `DatapathPort.open` and `VmmPort.prepare`; then it has
   * ended
   */
  async prepare(snapshot: LoadedSnapshot): Promise<void> {
    this.#enter('new', 'preparing');
    try {
      const { guestMac } = snapshot.manifest.machine;
      if (guestMac !== this.#network.guestMac) {
        const what = `guestMac: the snapshot’s eth0 has ${guestMac ?? 'no address, for there is none'}`;
        throw new CodedError('bad-network', what, 'give the sandbox the MAC of its template');
      }
      this.#snapshot = snapshot;
      const { fd } = this.#parts.datapath.open(this.#network, closed);
      this.#isOpen = true;
      try {
        this.#preparing = this.#parts.vmm.prepare(snapshot, { tapFd: fd });
        this.#prepared = await this.#preparing;
      } finally {
        close(fd);
      }
      this.#enter('preparing', 'dormant');
    } catch (error) {
      await this.#fail(error);
    }
  }

  /**
   * Once: network, gate, release, secrets, in this order.
   * @throws CodedError `husk-not-dormant`; `bad-secret`, and the husk stays dormant; else as of the datapath, the proxy
   * and the gate, and then it has ended
   */
  async activate({ policy, secrets, hostname }: HuskOrder): Promise<ActivatedHusk> {
    const begunMs = performance.now();
    checkSecrets(secrets);
    this.#enter('dormant', 'activating');
    try {
      const { activation } = this.#parts;
      await this.#openNetwork(policy);
      const activated = await this.#run(hostname);
      const vmId = this.#vmId ?? '';
      const begunAfterMs = performance.now() - begunMs - activated.releasedAfterMs;
      activation.deliver(vmId, 'secrets');
      await deliverSecrets(activated.services, secrets);
      this.#enter('activating', 'active');
      this.#active = { id: vmId, services: activated.services, secrets, policy };
      return {
        generation: activated.generation,
        admittedAfterMs: begunAfterMs + activated.admittedAfterMs,
        releasedAfterMs: begunAfterMs + activated.releasedAfterMs,
        deliveredAfterMs: performance.now() - begunMs,
      };
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** @throws CodedError `not-released` */
  exec(request: ExecRequest, take: TakeOutput): ExecInProgress {
    const { services, secrets } = this.#released('exec');
    return services.exec({ ...request, env: { ...secretVariables(secrets), ...request.env } }, take);
  }

  /** @throws CodedError `not-released` */
  files(): ServiceChannel {
    return this.#released('files').services;
  }

  /**
   * Another policy for resolver and datapath, in one operation: until it ends nothing passes that neither allows, and
   * from then on nothing that the new one does not.
   * @throws CodedError `not-released`; `bad-allow-entry`, `bad-network`, `bad-prefix`, and the old one stays in force;
   * else as of the datapath and the proxy, and then the husk has ended
   */
  change(policy: SandboxPolicy): Promise<void> {
    const changed = this.#changing.then(() => this.#change(policy));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #change(policy: SandboxPolicy): Promise<void> {
    const { datapath, dns } = this.#parts;
    const { tap } = this.#network;
    const active = this.#released('exec');
    let isResolved = false;
    try {
      // Pins that only the old policy justified go first: no flow is held to live on by one.
      await dns.change(tap, this.#dnsPolicy(policy));
      isResolved = true;
      datapath.change(tap, policy);
      active.policy = policy;
    } catch (error) {
      const isNone = error instanceof CodedError && notAPolicy.includes(error.code);
      if (!isNone) return this.#fail(error);
      if (isResolved)
        await dns.change(tap, this.#dnsPolicy(active.policy)).catch((cause) => this.#fail(cause));
      throw error;
    }
    // It may have ended meanwhile.
    this.#released('exec');
  }

  /** Idempotent; ends when nothing of it is left. @throws CodedError `fork-not-reaped` */
  async end(): Promise<void> {
    if (this.#vmId === null) await this.#takeAway();
    else await this.#parts.activation.end(this.#vmId);
    await this.#takeAway();
  }

  async #openNetwork(policy: SandboxPolicy): Promise<void> {
    const { datapath, dns } = this.#parts;
    const { tap, ipv4, ipv6 } = this.#network;
    datapath.change(tap, policy);
    const listen: DnsEndpoint[] = [ipv4, ...(ipv6 === null ? [] : [ipv6])].map(({ resolver }) => ({
      address: resolver,
      port: resolverPort,
    }));
    const attaching = dns.attach({ tap, listen, policy: this.#dnsPolicy(policy) });
    this.#attaching = attaching;
    await attaching;
  }

  #dnsPolicy({ allow }: SandboxPolicy): DnsSandboxPolicy {
    const { denyCIDRs, nat64Prefixes, pinPrivateCIDRs } = this.#parts.pod;
    return { allow, ipv6: this.#network.ipv6 !== null, denyCIDRs, nat64Prefixes, pinPrivateCIDRs };
  }

  async #run(hostname: string | undefined): Promise<ActivatedFork & { readonly services: ServiceChannel }> {
    const [snapshot, prepared] = [this.#snapshot, this.#prepared];
    if (snapshot === null || prepared === null || this.#ending !== null) throw notDormant(this.#phase);
    const vm = await prepared.resume();
    this.#vmId = vm.id;
    const activated = await this.#parts.activation.activate({
      vm,
      source: forkSourceOf(snapshot, 0),
      configuration: {
        network: guestNetworkOf(this.#network),
        ...(hostname === undefined ? {} : { hostname }),
      },
      reap: () => this.#takeAway(),
    });
    return { ...activated, services: new ServiceChannel(vm.channel('services')) };
  }

  #released(what: 'exec' | 'files'): Active {
    // Of a husk that is not active the activation knows nothing, and says so.
    this.#parts.activation.deliver(this.#active?.id ?? '', what);
    return this.#active as Active;
  }

  #enter(from: HuskPhase, to: HuskPhase): void {
    if (this.#phase !== from || this.#ending !== null) throw notDormant(this.#phase);
    this.#phase = to;
  }

  /** Takes everything away, then throws what was wrong. */
  async #fail(error: unknown): Promise<never> {
    await this.end();
    throw error;
  }

  #takeAway(): Promise<void> {
    this.#ending ??= this.#takeAll();
    return this.#ending;
  }

  /** VM, resolver, tap, rules: all of it is tried. */
  async #takeAll(): Promise<void> {
    this.#phase = 'ended';
    this.#active = null;
    const { datapath, dns } = this.#parts;
    const { tap } = this.#network;
    const steps: [name: string, act: () => Promise<void> | undefined][] = [
      ['packets', async () => (this.#isOpen ? datapath.cutOff(tap) : undefined)],
      ['VM', async () => (await this.#preparing?.catch(() => null))?.stop()],
      ['resolver', async () => ((await this.#isAttached()) ? dns.detach(tap) : undefined)],
      ['datapath', async () => (this.#isOpen ? datapath.reap() : undefined)],
    ];
    const failures: unknown[] = [];
    for (const [name, act] of steps) {
      try {
        await act();
      } catch (error) {
        this.#parts.log.error({ husk: tap, what: name, err: error }, 'not taken away');
        failures.push(error);
      }
    }
    if (failures.length === 0) {
      this.#ended.resolve();
      return;
    }
    const left = new CodedError(
      'fork-not-reaped',
      `something of the husk at ${tap} is left`,
      'see what the log names; restart the husk: it takes away what is left',
      { cause: failures[0] },
    );
    this.#ended.promise.catch(() => undefined);
    this.#ended.reject(left);
    throw left;
  }

  async #isAttached(): Promise<boolean> {
    if (this.#attaching === null) return false;
    return this.#attaching.then(
      () => true,
      () => false,
    );
  }
}

function guestNetworkOf({ ipv4, ipv6 }: SandboxNetwork): GuestNetwork {
  return {
    address: `${ipv4.guest}/30`,
    gateway: ipv4.gateway,
    resolvers: [ipv4.resolver, ...(ipv6 === null ? [] : [ipv6.resolver])],
    ...(ipv6 === null ? {} : { address6: `${ipv6.guest}/64`, gateway6: ipv6.gateway }),
  };
}
